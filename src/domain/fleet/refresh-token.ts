// The form of a refresh token (T5): where in the chain its holder stands, and a MAC. Nothing is stored, so an
// answer can be given again. Must not decide what a presented token leads to; that is lineage.ts.
import { createHmac, type KeyObject } from 'node:crypto'
import { constantTimeEqual } from '../../platform/hash.ts'
import type { RandomBytes } from '../../platform/random.ts'

/** What a token is bound to. */
export interface TokenScope {
  /** The server's HMAC key; as a KeyObject, made once, it is several times faster. */
  readonly key: Uint8Array | KeyObject
  /** The product's code. */
  readonly product: string
  readonly instanceId: string
}

/** Position in a chain: a branch, and the how-manieth token of it. Both are unsigned 32-bit integers. */
export interface RefreshPosition {
  readonly branch: number
  readonly n: number
}

/** The last `n` that fits into a token. */
export const LAST_N = 0xffff_ffff

const PURPOSE = 'leasehold/refresh-token/1'
const TOKEN = /^[0-9a-f]{64}$/
const MAC_DIGITS = 48
const FEATURE_TOKEN_BYTES = 32

/** The token for a position: 32 bytes in lower-case hex, branch (4), n (4), MAC (24). The same every time. (T5) */
export function issueRefreshToken(scope: TokenScope, position: RefreshPosition): string {
  const head = uint32Hex(position.branch) + uint32Hex(position.n)
  return head + mac(scope, head)
}

/** Where a token stands, or null if it was not issued for this product and instance under this key. (T5, T8) */
export function readRefreshToken(scope: TokenScope, token: string): RefreshPosition | null {
  if (!TOKEN.test(token)) return null
  const head = token.slice(0, 16)
  if (!constantTimeEqual(token.slice(16), mac(scope, head))) return null
  return { branch: Number.parseInt(head.slice(0, 8), 16), n: Number.parseInt(head.slice(8), 16) }
}

/** The `feature_refresh_token` of an unproven request: 32 random bytes in hex, of no further meaning. (T5) */
export function randomFeatureToken(random: RandomBytes): string {
  return Buffer.from(random(FEATURE_TOKEN_BYTES)).toString('hex')
}

function mac(scope: TokenScope, head: string): string {
  // JSON of an array of strings is injective: no two products and instances share an encoding.
  const bound = JSON.stringify([PURPOSE, scope.product, scope.instanceId, head])
  return createHmac('sha256', scope.key).update(bound).digest('hex').slice(0, MAC_DIGITS)
}

function uint32Hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}
