// Rate limit per address of everything that is public. Who shows a credential that proves a license pays nothing.
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/context.ts'
import { bearerOf, type HttpEnv } from '../../domain/routing.ts'
import { networkOf } from './network.ts'
import type { RateLimit } from './rate-limit.ts'

/** The kinds that only a license gets. Anybody may register and be given an instance token. */
const PROVING = new Set(['api_key', 'jwt', 'relay_key', 'admin_key'])
/** Answers that were given before, or without, accepting the credential. */
const UNPROVEN = new Set([400, 401, 404, 413, 415, 422, 429])

/** Every request pays when it comes; a credential that was accepted gets it back. */
export const limitStrangers = (limit: RateLimit) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const network = networkOf(c.get('address'))
    const { retryAfter } = limit.take(network)
    if (retryAfter > 0) {
      throw new Refusal('rate_limited', 'Too many requests from this address.', {
        headers: { 'Retry-After': String(retryAfter) },
        fix: `Try again in ${retryAfter} s.`,
      })
    }
    // A header that holds no credential is refused before the body is read.
    const bearer = bearerOf(c)
    await next()
    if (bearer && PROVING.has(bearer.kind) && !UNPROVEN.has(c.res.status)) limit.refund(network)
  })
