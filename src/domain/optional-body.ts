// For routes whose body may be left out. Reads no member of it.
import type { MiddlewareHandler } from 'hono'
import type { HttpEnv } from './routing.ts'

/** An empty body counts as `{}`, whatever content type a client announces for it. */
export const optionalBody: MiddlewareHandler<HttpEnv> = async (c, next) => {
  if ((await c.req.text()) === '') Object.assign(c.req.bodyCache, { text: Promise.resolve('{}') })
  await next()
}
