// Rate limit of requests without a credential and of requests whose credential was refused.
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/context.ts'
import type { HttpEnv } from '../../domain/routing.ts'
import type { RateLimit } from './rate-limit.ts'

export const limitStrangers = (limit: RateLimit) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const address = c.get('address')
    const stranger = c.req.header('Authorization') === undefined
    const { retryAfter } = stranger ? limit.take(address) : limit.peek(address)
    if (retryAfter > 0) {
      throw new Refusal('rate_limited', 'Too many requests from this address.', {
        headers: { 'Retry-After': String(retryAfter) },
        fix: `Try again in ${retryAfter} s.`,
      })
    }
    await next()
    if (!stranger && c.res.status === 401) limit.take(address)
  })
