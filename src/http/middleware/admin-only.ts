// Lets only admin keys into the admin API, each as far as its role goes, before anything else about the request is looked
// at. Asks again after a body was read: that may have taken long, and a key that was revoked meanwhile acts no more.
import { createMiddleware } from 'hono/factory'
import { authenticateAdmin } from '../../domain/admin-keys/authenticate-admin.ts'
import { type Context, type HttpEnv, requiredBearer } from '../routing.ts'

/** What a request needs to be let in; puts the admin into the context. Throws what keeps it out. */
export type AdminCheck = (c: Context) => Promise<void>

export const adminCheck =
  (refuseRole: (c: Context) => void): AdminCheck =>
  async (c) => {
    const ctx = c.get('ctx')
    const actor = await authenticateAdmin(ctx, requiredBearer(c, 'an admin key'))
    c.set('ctx', { ...ctx, actor })
    refuseRole(c)
  }

export const adminOnly = (check: AdminCheck) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    await check(c)
    await next()
  })
