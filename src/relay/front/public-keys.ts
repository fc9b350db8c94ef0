// The vendor's public keys, passed on: fresh while it can be reached, as they were kept while it cannot.
import type { Context, Hono } from 'hono'
import type { KeySet } from '../../license/key-set.ts'
import type { Upstream } from '../upstream/client.ts'
import type { VendorKeys } from '../upstream/vendor-keys.ts'
import { problem } from './app.ts'

export interface PublicKeysContext {
  upstream: Upstream
  keys: VendorKeys
}

const KEY_SET_PATH = '/.well-known/leasehold-keys'

export function mountPublicKeys(app: Hono, { upstream, keys }: PublicKeysContext): void {
  app.get(KEY_SET_PATH, async (c) => {
    const result = await upstream.send({ method: 'GET', path: KEY_SET_PATH, bearer: null, body: null })
    if (result.kind === 'answer' && result.status === 200) await keys.follow(result.text.trim())
    // What the pinned roots signed, or nothing: an answer that they did not sign is nobody's business.
    const current = keys.current()
    if (!current) return problem(c, 'key_set_missing', 'No key set of the vendor has been had yet.')
    return c.body(current.token, 200, { 'Content-Type': 'application/jwt' })
  })
  app.get('/.well-known/jwks.json', async (c) => {
    const set = await fresh()
    if (set === null) return missing(c)
    const keys = jwks(set, c.req.query('product'))
    return keys === null ? unknownProduct(c) : c.body(JSON.stringify({ keys }), 200, JWK_SET_TYPE)
  })
  app.get('/api/v1/signing-key', async (c) => {
    const set = await fresh()
    if (set === null) return missing(c)
    const hex = signingKey(set, c.req.query('product'))
    return hex === null ? unknownProduct(c) : c.json({ public_key: hex })
  })

  /** Only what the pinned roots signed: an answer that they did not sign is nobody's business. */
  async function fresh(): Promise<KeySet | null> {
    if (keys.current() === null) await keys.refetch()
    return keys.current()?.set ?? null
  }
}

const missing = (c: Context): Response =>
  problem(c, 'key_set_missing', 'No key set of the vendor has been had yet.')

const unknownProduct = (c: Context): Response =>
  problem(c, 'product_unknown', 'The key set has no signing key of this product.')

/** The raw key in hex that verifies license keys and entitlement tokens; the first product's where none is named. */
function signingKey(set: KeySet, product: string | undefined): string | null {
  const raw = set.claims.keys.filter(({ use, status }) => use === 'raw' && status === 'active')
  const found = product === undefined ? raw[0] : raw.find((key) => key.product === product)
  return found ? Buffer.from(found.x, 'base64url').toString('hex') : null
}

/** RFC 7517, section 8.5.2. */
const JWK_SET_TYPE = { 'Content-Type': 'application/jwk-set+json' }

/**
 * The keys that verify license JWTs now, as the vendor's own JWK set lists them: of one product, or of all for clients
 * that check `aud`. Never those that sign directives (T4). Null for a product that the set does not name.
 */
function jwks(set: KeySet, product: string | undefined): Record<string, string>[] | null {
  const found = set.claims.keys.filter((key) => product === undefined || key.product === product)
  if (product !== undefined && found.length === 0) return null
  return found
    .filter(
      ({ use, status }) =>
        use === 'license' && (status === 'active' || status === 'retiring' || status === 'pending'),
    )
    .map(({ kid, x }) => ({ kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA' }))
}
