// For routes whose body may be left out. Reads no member of it.
import type { MiddlewareHandler } from 'hono'
import type { HttpEnv } from './routing.ts'

/** An empty body counts as `{}` where a client announces JSON and sends none. */
export const optionalBody: MiddlewareHandler<HttpEnv> = async (c, next) => {
  if (c.req.header('Content-Type') !== undefined && (await c.req.text()) === '') {
    Object.assign(c.req.bodyCache, { text: Promise.resolve('{}') })
  }
  await next()
}
