// Whether a trusted key may verify what is asked of it: its product, its use, its status (T4).
import type { KeyUse } from '../contract/claims.ts'
import type { TrustedKey } from './trusted-keys.ts'
import { type Refused, refused } from './verified.ts'

/**
 * A `revoked` key verifies nothing; a `retired` one only where the caller says so. `pending` is no obstacle: a key
 * set may be older than the key's first use, and `nbf` bounds what the key may have signed.
 */
export function checkKey<Use extends KeyUse>(
  key: TrustedKey,
  use: Use,
  expected: { product: string | null; acceptRetired: boolean },
): { ok: true; key: TrustedKey<Use> } | Refused {
  if (!hasUse(key, use)) return refused('wrong_use', key.kid)
  if (expected.product !== null && key.product !== expected.product) return refused('wrong_product', key.kid)
  if (key.status === 'revoked') return refused('key_revoked', key.kid)
  if (key.status === 'retired' && !expected.acceptRetired) return refused('key_retired', key.kid)
  return { ok: true, key }
}

function hasUse<Use extends KeyUse>(key: TrustedKey, use: Use): key is TrustedKey<Use> {
  return key.use === use
}
