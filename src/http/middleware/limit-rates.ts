// Rate limits per address and per credential, and the headers that tell of them (draft-ietf-httpapi-ratelimit-headers).
import { Refusal } from '../../domain/kernel/context.ts'
import type { RateLimit } from '../../platform/rate-limit.ts'
import { presetHeader } from '../node-request.ts'
import { bearerOf, type Context } from '../routing.ts'
import { fingerprintOf, type KnownCredentials } from './known-credentials.ts'
import { isSignOfLife } from './load-class.ts'

export interface RateLimits {
  address: RateLimit
  credential: RateLimit
  known: KnownCredentials
}

/** What a request has paid with: its address, and its credential where it has one. */
export interface Payer {
  network: string
  /** Whether the address had nothing left. */
  isOverdrawn: boolean
  /** Stands for the credential. */
  fingerprint: string | null
}

/**
 * Every request pays its address when it comes; a credential that proves a license and was accepted gets it back and
 * pays for itself. A sign of life with a credential that was accepted before passes an exhausted address.
 */
export function takeRates(c: Context, limits: RateLimits): Payer {
  const { address, credential, known } = limits
  const network = c.get('network')
  const { retryAfter } = address.take(network)
  const payer: Payer = { network, isOverdrawn: retryAfter > 0, fingerprint: null }
  if (payer.isOverdrawn && !(isSignOfLife(c.req.path) && isKnown(c, known))) {
    throw limited(c, limits, payer, 'address', retryAfter)
  }
  // A header that holds no credential is refused before the body is read.
  const bearer = bearerOf(c)
  if (!bearer) return payer
  payer.fingerprint = fingerprintOf(bearer.text)
  const paid = credential.take(payer.fingerprint)
  if (paid.retryAfter > 0) throw limited(c, limits, payer, 'credential', paid.retryAfter)
  c.set('isKnown', known.has(payer.fingerprint))
  return payer
}

/** Once the answer is there. */
export function settleRates(c: Context, limits: RateLimits, payer: Payer): void {
  const { fingerprint, network, isOverdrawn } = payer
  if (fingerprint !== null) {
    // It may have been verified, and its session have been ended all the same.
    if (c.res.status === 401) limits.known.forget(fingerprint)
    else if (c.get('isAccepted') === true) {
      limits.known.add(fingerprint)
      if (!isOverdrawn) limits.address.refund(network)
    }
  }
  tell(c, limits, payer)
}

function isKnown(c: Context, known: KnownCredentials): boolean {
  const bearer = bearerOf(c)
  return bearer !== null && known.has(fingerprintOf(bearer.text))
}

function limited(
  c: Context,
  limits: RateLimits,
  payer: Payer,
  by: 'address' | 'credential',
  retryAfter: number,
): Refusal {
  tell(c, limits, payer)
  return new Refusal(
    'rate_limited',
    `Too many requests ${by === 'address' ? 'from this address' : 'with this credential'}.`,
    {
      facts: { reason: by, limit: limits[by].policy?.quota },
      headers: { 'Retry-After': String(retryAfter) },
      fix: `Try again in ${retryAfter} s.`,
    },
  )
}

/** `RateLimit-Policy: "address";q=6000;w=60` and `RateLimit: "address";r=5999;t=1`: structured fields, RFC 9651. */
function tell(c: Context, { address, credential }: RateLimits, { network, fingerprint }: Payer): void {
  let policy = ''
  let left = ''
  if (address.policy) {
    policy = policyText('address', address.policy)
    left = leftText('address', address.left(network))
  }
  if (credential.policy && fingerprint !== null) {
    const separator = policy === '' ? '' : ', '
    policy += separator + policyText('credential', credential.policy)
    left += separator + leftText('credential', credential.left(fingerprint))
  }
  if (policy === '') return
  presetHeader(c, 'RateLimit-Policy', policy)
  presetHeader(c, 'RateLimit', left)
}

const policyText = (name: string, { quota, window }: { quota: number; window: number }): string =>
  `"${name}";q=${quota};w=${window}`

const leftText = (name: string, { remaining, reset }: { remaining: number; reset: number }): string =>
  `"${name}";r=${remaining};t=${reset}`
