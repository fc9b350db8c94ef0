// Envelopes over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  getEnvelopeRoute,
  issueEnvelopeRoute,
  listEnvelopesRoute,
} from '../../contract/admin-offline.routes.ts'
import { optionalBody } from '../optional-body.ts'
import { linkNext } from '../paging.ts'
import { located, type Router } from '../routing.ts'
import { issueEnvelope } from './issue-envelope.ts'
import { getEnvelope, listEnvelopes } from './list-issued.ts'
import { presentEnvelope } from './present.ts'

export function mountOfflineRoutes(app: Router): void {
  app.openapi(createRoute({ ...issueEnvelopeRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    const { row, text } = await issueEnvelope(c.get('ctx'), id, c.req.valid('json'))
    return c.json(located(c, { ...presentEnvelope(row), envelope: text }), 201)
  })
  app.openapi(createRoute(listEnvelopesRoute), async (c) => {
    const page = await listEnvelopes(c.get('ctx'), c.req.valid('param').id, c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentEnvelope), 200)
  })
  app.openapi(createRoute(getEnvelopeRoute), async (c) => {
    const { id, envelope } = c.req.valid('param')
    return c.json(presentEnvelope(await getEnvelope(c.get('ctx'), id, envelope)), 200)
  })
}
