// Whom the reader of a token trusts, as the options say it: a public key, a JWK set, and what the token has to name.
import { isJsonObject } from '../../license/json.ts'
import {
  importTrustedKey,
  rawFromJwk,
  type TrustedKey,
  type TrustedKeys,
  trustKeys,
} from '../../license/trusted-keys.ts'
import { StartError } from '../../platform/start-error.ts'
import { readArguments, UsageError } from '../command.ts'
import { contentOf } from '../files.ts'
import { readPublicKey } from '../key-input.ts'

const text = { type: 'string' } as const

export const TRUST_USAGE = `  --public-key  the key that must have signed it: PEM, base64 SPKI, JWK or hex, or the file that holds it
  --jwks        a file with the JWK set of the server, for license JWTs and directives
  --issuer      the exact issuer that it must name
  --product     the product that it must name
  --tenant      the tenant that an envelope must name
  --instance    the instance that it must name, if it names one
  --json        tell it as JSON
`

/** What a token must name; left out, it may name anything, and the answer says so. */
export interface Expected {
  issuer: string | undefined
  product: string | undefined
  tenant: string | undefined
  instance: string | undefined
}

export interface TokenArguments {
  file: string
  json: boolean
  expected: Expected
  /** The raw bytes of the one trusted key. */
  publicKey: Uint8Array<ArrayBuffer> | null
  /** Makes the trusted keys of a product; null where no option names any. */
  keys: ((product: string, use: 'jws' | 'raw') => Promise<TrustedKeys>) | null
}

/** @throws UsageError, StartError */
export async function readTokenArguments(args: string[]): Promise<TokenArguments> {
  const { values, positionals } = readArguments(
    args,
    {
      'public-key': text,
      jwks: text,
      issuer: text,
      product: text,
      tenant: text,
      instance: text,
      json: { type: 'boolean' },
    },
    1,
  )
  const given = values['public-key']
  if (given !== undefined && values.jwks !== undefined) {
    throw new UsageError('Give --public-key or --jwks, not both.')
  }
  const publicKey = given === undefined ? null : await readPublicKey(given, '--public-key')
  const set = values.jwks === undefined ? null : await readJwks(values.jwks)
  const { issuer, product, tenant, instance } = values
  return {
    file: positionals[0] ?? '',
    json: values.json ?? false,
    expected: { issuer, product, tenant, instance },
    publicKey,
    keys: keysOf(publicKey, set),
  }
}

interface NamedKey {
  raw: Uint8Array<ArrayBuffer>
  kid: string | undefined
}

function keysOf(publicKey: Uint8Array<ArrayBuffer> | null, set: NamedKey[] | null): TokenArguments['keys'] {
  const trusted = publicKey ? [{ raw: publicKey, kid: undefined }] : set
  if (!trusted) return null
  return async (product, use) => {
    const keys: TrustedKey[] = []
    for (const { raw, kid } of trusted) {
      const imported = await importTrustedKey(raw, { product, use, status: 'active', nbf: 0 }, kid)
      if (imported.ok) keys.push(imported.key)
    }
    return trustKeys(keys)
  }
}

async function readJwks(file: string): Promise<NamedKey[]> {
  const wrong = () =>
    new StartError(
      `${file} is no JWK set with Ed25519 keys.`,
      'Fetch it from /.well-known/jwks.json of the server.',
    )
  let found: unknown
  try {
    found = JSON.parse(await contentOf(file))
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong()
    throw error
  }
  const keys = isJsonObject(found) && Array.isArray(found.keys) ? found.keys : []
  const usable = keys.flatMap((jwk: unknown) => {
    const raw = rawFromJwk(jwk)
    return raw ? [{ raw, kid: isJsonObject(jwk) && typeof jwk.kid === 'string' ? jwk.kid : undefined }] : []
  })
  if (usable.length === 0) throw wrong()
  return usable
}
