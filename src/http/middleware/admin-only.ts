// Lets only admin keys into the admin API, before anything else about the request is looked at.
import { createMiddleware } from 'hono/factory'
import { authenticateAdmin } from '../../domain/admin-keys/authenticate-admin.ts'
import { type HttpEnv, requiredBearer } from '../../domain/routing.ts'

export const adminOnly = () =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const ctx = c.get('ctx')
    const actor = await authenticateAdmin(ctx, requiredBearer(c, 'an admin key'))
    c.set('ctx', { ...ctx, actor })
    await next()
  })

/** Asks once more after a body was read. */
export const stillAdmin = () =>
  createMiddleware<HttpEnv>(async (c, next) => {
    if (c.req.raw.body !== null) await authenticateAdmin(c.get('ctx'), requiredBearer(c, 'an admin key'))
    await next()
  })
