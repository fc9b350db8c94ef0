// Admin keys over HTTP.
import { createRoute } from '@hono/zod-openapi'
import {
  createAdminKeyRoute,
  listAdminKeysRoute,
  revokeAdminKeyRoute,
} from '../../contract/admin-keys.routes.ts'
import { linkNext } from '../paging.ts'
import type { Router } from '../routing.ts'
import { createAdminKey } from './create-admin-key.ts'
import { listAdminKeys } from './list-admin-keys.ts'
import { presentAdminKey } from './present.ts'
import { revokeAdminKey } from './revoke-admin-key.ts'

export function mountAdminKeyRoutes(app: Router): void {
  app.openapi(createRoute(createAdminKeyRoute), async (c) => {
    const { key, secret } = await createAdminKey(c.get('ctx'), c.req.valid('json'))
    return c.json({ ...presentAdminKey(key), secret }, 201)
  })
  app.openapi(createRoute(listAdminKeysRoute), async (c) => {
    const page = await listAdminKeys(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentAdminKey), 200)
  })
  app.openapi(createRoute(revokeAdminKeyRoute), async (c) => {
    return c.json(presentAdminKey(await revokeAdminKey(c.get('ctx'), c.req.valid('param').id)), 200)
  })
}
