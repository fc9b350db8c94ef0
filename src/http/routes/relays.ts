// What relays ask of the server, over HTTP.
import { createRoute } from '@hono/zod-openapi'
import {
  allotmentRoute,
  enrolRelayRoute,
  relayLeasesRoute,
  relayLicensesRoute,
} from '../../contract/relay-api.routes.ts'
import { enrolRelay } from '../../domain/relays/enrol-relay.ts'
import { issueAllotment } from '../../domain/relays/issue-allotment.ts'
import { listRelayLicenses } from '../../domain/relays/list-relay-licenses.ts'
import { recordLeases } from '../../domain/relays/record-leases.ts'
import { linkNext } from '../link-next.ts'
import { type Router, requireBearer, requiredBearer } from '../routing.ts'

const WANTED = 'a relay key'

export function mountRelayRoutes(app: Router): void {
  const middleware = requireBearer(['relay_key'], WANTED)
  app.openapi(createRoute(enrolRelayRoute), async (c) => {
    return c.json(await enrolRelay(c.get('ctx'), c.req.valid('json')), 200)
  })
  app.openapi(createRoute({ ...relayLicensesRoute, middleware }), async (c) => {
    const page = await listRelayLicenses(c.get('ctx'), requiredBearer(c, WANTED), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items, 200)
  })
  app.openapi(createRoute({ ...allotmentRoute, middleware }), async (c) => {
    return c.json(await issueAllotment(c.get('ctx'), requiredBearer(c, WANTED), c.req.valid('json')), 200)
  })
  app.openapi(createRoute({ ...relayLeasesRoute, middleware }), async (c) => {
    return c.json(await recordLeases(c.get('ctx'), requiredBearer(c, WANTED), c.req.valid('json')), 200)
  })
}
