// Signs one envelope and reads it back before anybody gets it. Knows no file and no option.
import type { EnvelopePayload, KeyUse } from '../../contract/claims.ts'
import { verifyEnvelope } from '../../license/envelope.ts'
import { importTrustedKey, type TrustedKeys, trustKeys } from '../../license/trusted-keys.ts'
import { openSigningKey, type SigningKey } from '../../mint/keys.ts'
import { signRaw } from '../../mint/sign-raw.ts'

/** An envelope names no product: its key alone binds it (T4). Here the one key that was named is the whole trust. */
export const OFFLINE_PRODUCT = 'offline'

export interface Minter {
  kid: string
  mint(payload: EnvelopePayload): string
  /** Why the customer's product would refuse it; null where it would not, or where no public key was named. */
  fault(token: string, payload: EnvelopePayload): Promise<string | null>
}

/** The one key with which envelopes are verified. */
export async function trustOnly(raw: Uint8Array, use: KeyUse, product: string): Promise<TrustedKeys> {
  const imported = await importTrustedKey(raw, { product, use, status: 'active', nbf: 0 })
  if (!imported.ok) throw new TypeError('not an Ed25519 public key')
  return trustKeys([imported.key])
}

export async function openMinter(pkcs8: Uint8Array, publicKey: Uint8Array | null): Promise<Minter> {
  const key: SigningKey<'raw'> = openSigningKey(pkcs8, { product: OFFLINE_PRODUCT, use: 'raw' })
  const keys = publicKey ? await trustOnly(publicKey, 'raw', OFFLINE_PRODUCT) : null
  return {
    kid: key.kid,
    mint: (payload) => signRaw(key, 'envelope', payload),
    async fault(token, { iat, tenantId, instanceId }) {
      if (!keys) return null
      const expected = { product: OFFLINE_PRODUCT, keys, tenantId, instanceId, now: iat } as const
      const read = await verifyEnvelope(token, { ...expected, age: 'within_grace' })
      return read.ok ? null : read.message
    },
  }
}
