// Admin keys over HTTP.
import { createRoute } from '@hono/zod-openapi'
import {
  changeAdminKeyRoute,
  createAdminKeyRoute,
  listAdminKeysRoute,
  revokeAdminKeyRoute,
  whoamiRoute,
} from '../../contract/admin-keys.routes.ts'
import { changeAdminKey } from '../../domain/admin-keys/change-admin-key.ts'
import { createAdminKey } from '../../domain/admin-keys/create-admin-key.ts'
import { listAdminKeys } from '../../domain/admin-keys/list-admin-keys.ts'
import { revokeAdminKey } from '../../domain/admin-keys/revoke-admin-key.ts'
import { whoami } from '../../domain/admin-keys/whoami.ts'
import { linkNext } from '../link-next.ts'
import type { Router } from '../routing.ts'
import { presentAdminKey } from './present-admin-key.ts'

export function mountAdminKeyRoutes(app: Router): void {
  app.openapi(createRoute(createAdminKeyRoute), async (c) => {
    const ctx = c.get('ctx')
    const { key, secret } = await createAdminKey(ctx, c.req.valid('json'))
    return c.json({ ...presentAdminKey(key, ctx.clock.now()), admin_key: secret }, 201)
  })
  app.openapi(createRoute(listAdminKeysRoute), async (c) => {
    const ctx = c.get('ctx')
    const page = await listAdminKeys(ctx, c.req.valid('query'))
    linkNext(c, page)
    const now = ctx.clock.now()
    return c.json(
      page.items.map((row) => presentAdminKey(row, now)),
      200,
    )
  })
  app.openapi(createRoute(whoamiRoute), async (c) => {
    const ctx = c.get('ctx')
    return c.json(presentAdminKey(await whoami(ctx), ctx.clock.now()), 200)
  })
  app.openapi(createRoute(changeAdminKeyRoute), async (c) => {
    const ctx = c.get('ctx')
    const key = await changeAdminKey(ctx, c.req.valid('param').id, c.req.valid('json'))
    return c.json(presentAdminKey(key, ctx.clock.now()), 200)
  })
  app.openapi(createRoute(revokeAdminKeyRoute), async (c) => {
    const ctx = c.get('ctx')
    const key = await revokeAdminKey(ctx, c.req.valid('param').id)
    return c.json(presentAdminKey(key, ctx.clock.now()), 200)
  })
}
