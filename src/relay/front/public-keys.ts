// The vendor's public keys, passed on: fresh while it can be reached, as they were kept while it cannot.
import type { Hono } from 'hono'
import type { KeySet } from '../../license/key-set.ts'
import type { WordStore } from '../store/words.ts'
import type { Upstream } from '../upstream/client.ts'
import type { VendorKeys } from '../upstream/vendor-keys.ts'
import { problem } from './app.ts'

export interface PublicKeysContext {
  upstream: Upstream
  words: WordStore
  keys: VendorKeys
  now(): number
}

const KEY_SET_PATH = '/.well-known/leasehold-keys'

export function mountPublicKeys(app: Hono, { upstream, words, keys, now }: PublicKeysContext): void {
  app.get(KEY_SET_PATH, async (c) => {
    const result = await upstream.send({ method: 'GET', path: KEY_SET_PATH, bearer: null, body: null })
    if (result.kind === 'answer' && result.status === 200) await keys.follow(result.text.trim())
    // What the pinned roots signed, or nothing: an answer that they did not sign is nobody's business.
    const current = keys.current()
    if (!current) return problem(c, 'key_set_missing', 'No key set of the vendor has been had yet.')
    return c.body(current.token, 200, { 'Content-Type': 'application/jwt' })
  })
  app.get('/.well-known/jwks.json', async (c) => {
    const result = await upstream.send({ method: 'GET', path: c.req.path, bearer: null, body: null })
    if (result.kind === 'answer') return c.body(result.text, result.status as 200, JWK_SET_TYPE)
    const current = keys.current()
    if (!current) return problem(c, 'key_set_missing', 'No key set of the vendor has been had yet.')
    return c.body(JSON.stringify({ keys: jwks(current.set) }), 200, JWK_SET_TYPE)
  })
  app.get('/api/v1/signing-key', async (c) => {
    const query = c.req.query('product')
    const path = query === undefined ? c.req.path : `${c.req.path}?product=${encodeURIComponent(query)}`
    const result = await upstream.send({ method: 'GET', path, bearer: null, body: null })
    const name = `signing-key:${query ?? ''}`
    if (result.kind === 'answer') {
      if (result.status === 200) words.keepDocument(name, result.text, now())
      return c.body(result.text, result.status as 200, JSON_TYPE)
    }
    const kept = words.document(name)
    if (kept === null) return problem(c, 'vendor_unreachable', 'The vendor cannot be reached.')
    return c.body(kept, 200, JSON_TYPE)
  })
}

/** RFC 7517, section 8.5.2. */
const JWK_SET_TYPE = { 'Content-Type': 'application/jwk-set+json' }
const JSON_TYPE = { 'Content-Type': 'application/json' }

/** The keys that verify JWTs now, as the vendor's own JWK set lists them. */
function jwks(set: KeySet): Record<string, string>[] {
  return set.claims.keys
    .filter(
      ({ use, status }) =>
        use === 'jws' && (status === 'active' || status === 'retiring' || status === 'pending'),
    )
    .map(({ kid, x }) => ({ kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA' }))
}
