// Relays over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  changeRelayRoute,
  createRelayRoute,
  getRelayRoute,
  issueEnrolmentCodeRoute,
  listRelaysRoute,
  revokeRelayRoute,
  shareSeatsRoute,
  unshareSeatsRoute,
} from '../../contract/admin-relays.routes.ts'
import { renameRelay, revokeRelay } from '../../domain/relays/change-relay.ts'
import { createRelay } from '../../domain/relays/create-relay.ts'
import { issueEnrolmentCode } from '../../domain/relays/enrolment-code.ts'
import { getRelay, listRelays } from '../../domain/relays/list-relays.ts'
import { shareSeats } from '../../domain/relays/share-seats.ts'
import { presentRelay } from '../../domain/relays/view-relay.ts'
import { linkNext } from '../link-next.ts'
import { located, type Router } from '../routing.ts'

export function mountRelayAdminRoutes(app: Router): void {
  app.openapi(createRoute(createRelayRoute), async (c) => {
    const { relay, code } = await createRelay(c.get('ctx'), c.req.valid('json'))
    return c.json(located(c, { ...presentRelay(relay), enrolment_code: code }), 201)
  })
  app.openapi(createRoute(listRelaysRoute), async (c) => {
    const page = await listRelays(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentRelay), 200)
  })
  app.openapi(createRoute(getRelayRoute), async (c) => {
    return c.json(presentRelay(await getRelay(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(changeRelayRoute), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(presentRelay(await renameRelay(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute(issueEnrolmentCodeRoute), async (c) => {
    const { relay, code } = await issueEnrolmentCode(c.get('ctx'), c.req.valid('param').id)
    return c.json({ ...presentRelay(relay), enrolment_code: code }, 200)
  })
  app.openapi(createRoute(revokeRelayRoute), async (c) => {
    return c.json(presentRelay(await revokeRelay(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(shareSeatsRoute), async (c) => {
    const { id, license_id } = c.req.valid('param')
    return c.json(presentRelay(await shareSeats(c.get('ctx'), id, license_id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute(unshareSeatsRoute), async (c) => {
    const { id, license_id } = c.req.valid('param')
    const end = c.req.valid('query').end === 'true'
    return c.json(presentRelay(await shareSeats(c.get('ctx'), id, license_id, { seats: 0, end })), 200)
  })
}
