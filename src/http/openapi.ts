// `/openapi.json`: the document made from the very routes that serve.
import { createRoute } from '@hono/zod-openapi'
import { documentRoute } from '../contract/server.routes.ts'
import { describeAll, registerShared } from './describe.ts'
import type { Router } from './routing.ts'

const ABOUT = {
  openapi: '3.1.0',
  info: {
    title: 'Leasehold',
    version: '1',
    description:
      'License server. Errors are application/problem+json (RFC 9457) with a stable code in `error`. ' +
      'Denials of activate and validate are answers: 200 with a `status` and a `reason`.',
    license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
  },
  servers: [{ url: '/' }],
  // Where an operation names none, none is asked for.
  security: [],
  tags: [
    { name: 'Instances', description: 'What running copies of a product call.' },
    { name: 'Keys', description: 'Public keys.' },
    { name: 'Admin', description: 'What a vendor admin calls, with an admin key.' },
    { name: 'Server', description: 'What the server says about itself.' },
  ],
}

export function mountDocument(app: Router): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'API key (sk-), instance token (lit_), relay key (lrk_), admin key (lak_) or license JWT.',
  })
  registerShared(app)
  let document: string | undefined
  // Described without app.openapi, whose answers are made anew each time.
  app.openAPIRegistry.registerPath(createRoute(documentRoute))
  app.get(documentRoute.path, (c) => {
    document ??= JSON.stringify(describeAll(app.getOpenAPI31Document(ABOUT)))
    return c.body(document, 200, {
      'Content-Type': 'application/json',
      'Cache-Control': 'public, max-age=300',
    })
  })
}
