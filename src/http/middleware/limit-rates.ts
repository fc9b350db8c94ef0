// Rate limits per address and per credential, and the headers that tell of them (draft-ietf-httpapi-ratelimit-headers).
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/kernel/context.ts'
import { networkOf } from '../../platform/network.ts'
import type { RateLimit } from '../../platform/rate-limit.ts'
import { bearerOf, type Context, type HttpEnv } from '../routing.ts'
import { fingerprintOf, type KnownCredentials } from './known-credentials.ts'
import { isSignOfLife } from './load-class.ts'

export interface RateLimits {
  address: RateLimit
  credential: RateLimit
  known: KnownCredentials
}

/**
 * Every request pays its address when it comes; a credential that proves a license and was accepted gets it back and
 * pays for itself. A sign of life with a credential that was accepted before passes an exhausted address.
 */
export const limitRates = ({ address, credential, known }: RateLimits) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const limits: Limit[] = [{ name: 'address', limit: address, key: networkOf(c.get('address')) }]
    const own = limits[0] as Limit
    const { retryAfter } = address.take(own.key)
    if (retryAfter > 0 && !(isSignOfLife(c.req.path) && isKnown(c, known))) {
      throw limited(c, limits, 'address', retryAfter)
    }
    // A header that holds no credential is refused before the body is read.
    const bearer = bearerOf(c)
    if (!bearer) {
      await next()
      return tell(c, limits)
    }
    const key = fingerprintOf(bearer.text)
    limits.push({ name: 'credential', limit: credential, key })
    const paid = credential.take(key)
    if (paid.retryAfter > 0) throw limited(c, limits, 'credential', paid.retryAfter)
    c.set('isKnown', known.has(key))
    await next()
    // It may have been verified, and its session have been ended all the same.
    if (c.res.status === 401) known.forget(key)
    else if (c.get('isAccepted') === true) {
      known.add(key)
      if (retryAfter === 0) address.refund(own.key)
    }
    tell(c, limits)
  })

interface Limit {
  name: 'address' | 'credential'
  limit: RateLimit
  key: string
}

function isKnown(c: Context, known: KnownCredentials): boolean {
  const bearer = bearerOf(c)
  return bearer !== null && known.has(fingerprintOf(bearer.text))
}

function limited(c: Context, limits: readonly Limit[], by: Limit['name'], retryAfter: number): Refusal {
  tell(c, limits)
  return new Refusal(
    'rate_limited',
    `Too many requests ${by === 'address' ? 'from this address' : 'with this credential'}.`,
    {
      facts: { reason: by, limit: limits.find(({ name }) => name === by)?.limit.policy?.quota },
      headers: { 'Retry-After': String(retryAfter) },
      fix: `Try again in ${retryAfter} s.`,
    },
  )
}

/** `RateLimit-Policy: "address";q=6000;w=60` and `RateLimit: "address";r=5999;t=1`: structured fields, RFC 9651. */
function tell(c: Context, limits: readonly Limit[]): void {
  const bounded = limits.filter(({ limit }) => limit.policy !== null)
  if (bounded.length === 0) return
  c.header(
    'RateLimit-Policy',
    bounded
      .map(({ name, limit }) => `"${name}";q=${limit.policy?.quota};w=${limit.policy?.window}`)
      .join(', '),
  )
  const left = bounded.map(({ name, limit, key }) => {
    const { remaining, reset } = limit.left(key)
    return `"${name}";r=${remaining};t=${reset}`
  })
  c.header('RateLimit', left.join(', '))
}
