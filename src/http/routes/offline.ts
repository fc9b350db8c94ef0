// Envelopes and offline activations over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  activateOfflineRoute,
  getEnvelopeRoute,
  getOfflineActivationRoute,
  issueEnvelopeRoute,
  listEnvelopesRoute,
  listOfflineActivationsRoute,
} from '../../contract/admin-offline.routes.ts'
import { activateOffline } from '../../domain/offline/activate-offline.ts'
import { issueEnvelope } from '../../domain/offline/issue-envelope.ts'
import {
  getEnvelope,
  getOfflineActivation,
  listEnvelopes,
  listOfflineActivations,
} from '../../domain/offline/list-issued.ts'
import { linkNext } from '../link-next.ts'
import { optionalBody } from '../optional-body.ts'
import { located, type Router } from '../routing.ts'
import { presentAnswer, presentEnvelope, presentOfflineActivation } from './present-offline.ts'

export function mountOfflineRoutes(app: Router): void {
  mountEnvelopeRoutes(app)
  mountActivationRoutes(app)
}

function mountEnvelopeRoutes(app: Router): void {
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

function mountActivationRoutes(app: Router): void {
  app.openapi(createRoute(activateOfflineRoute), async (c) => {
    const { id } = c.req.valid('param')
    const answered = await activateOffline(c.get('ctx'), id, c.req.valid('json'))
    return c.json(located(c, presentAnswer(answered)), 201)
  })
  app.openapi(createRoute(listOfflineActivationsRoute), async (c) => {
    const page = await listOfflineActivations(c.get('ctx'), c.req.valid('param').id, c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentOfflineActivation), 200)
  })
  app.openapi(createRoute(getOfflineActivationRoute), async (c) => {
    const { id, activation } = c.req.valid('param')
    const row = await getOfflineActivation(c.get('ctx'), id, activation)
    return c.json(presentOfflineActivation(row), 200)
  })
}
