// Opens a stored signing key: the private half under the master key, and the public half beside it.
import type { KeyUse } from '../../contract/claims.ts'
import { importTrustedKey, type TrustedKey } from '../../license/trusted-keys.ts'
import { openSigningKey, type SigningKey } from '../../mint/keys.ts'
import { open } from '../../platform/seal.ts'
import { StartError } from '../../platform/start-error.ts'
import { unixSeconds } from '../../platform/time.ts'

export interface StoredKey {
  kid: string
  /** Code. */
  product: string
  use: KeyUse
  publicKeyHex: string
  sealedPrivateKey: string
  notBefore: Date
}

export interface OpenedKey {
  signing: SigningKey
  /** Its status is for the reader to tell. */
  trusted: TrustedKey
}

/** What binds a sealed private key to its row, so that rows cannot be swapped. */
export const sealName = (product: string, use: KeyUse, kid: string): string =>
  JSON.stringify(['signing-key', product, use, kid])

/** @throws StartError when it does not open under this master key, or its halves do not fit. */
export async function openStoredKey(key: StoredKey, masterKey: Uint8Array): Promise<OpenedKey> {
  const { kid, product, use } = key
  const pkcs8 = open(masterKey, sealName(product, use, kid), key.sealedPrivateKey)
  if (!pkcs8) throw unopenable(key)
  const signing = openSigningKey(pkcs8, { product, use })
  const raw = Buffer.from(key.publicKeyHex, 'hex')
  const role = { product, use, status: 'active' as const, nbf: unixSeconds(key.notBefore) }
  const imported = await importTrustedKey(raw, role, kid)
  if (!imported.ok || signing.kid !== kid || !raw.equals(signing.publicKey)) throw unopenable(key)
  return { signing, trusted: imported.key }
}

const unopenable = ({ kid, product, use }: StoredKey) =>
  new StartError(
    `The ${use} signing key ${kid} of product ${product} does not open with this master key.`,
    'Start with the LEASEHOLD_MASTER_KEY that this database was made with, or restore the row from a backup.',
  )
