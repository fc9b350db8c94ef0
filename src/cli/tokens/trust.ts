// Whom the reader of a token trusts, as the options say it: a public key, a JWK set, a key set under its root, and what
// the token has to name.
import type { KeyUse } from '../../contract/claims.ts'
import { isJsonObject, parseJsonObject } from '../../license/json.ts'
import { followKeySet } from '../../license/key-set.ts'
import {
  importRootKey,
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
import { OFFLINE_PRODUCT } from '../mint/minter.ts'

const text = { type: 'string' } as const

export const TRUST_USAGE = `  --public-key  the key that must have signed it: PEM, base64 SPKI, JWK or hex, or the file that holds it
  --jwks        a file with the JWK set of the server, for license JWTs
  --key-set     a file with the root-signed key set of the server, for all that its keys sign; --public-key is the root
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
  keys: ((product: string, use: KeyUse) => Promise<TrustedKeys>) | null
}

/** @throws UsageError, StartError */
export async function readTokenArguments(args: string[]): Promise<TokenArguments> {
  const { values, positionals } = readArguments(
    args,
    {
      'public-key': text,
      jwks: text,
      'key-set': text,
      issuer: text,
      product: text,
      tenant: text,
      instance: text,
      json: { type: 'boolean' },
    },
    1,
  )
  const given = values['public-key']
  if (values.jwks !== undefined && (given !== undefined || values['key-set'] !== undefined)) {
    throw new UsageError('Give --jwks or --public-key, not both; --key-set goes with --public-key.')
  }
  if (values['key-set'] !== undefined && given === undefined) {
    throw new UsageError('--key-set needs the root key that signed it: give it as --public-key.')
  }
  const publicKey = given === undefined ? null : await readPublicKey(given, '--public-key')
  const set = values.jwks === undefined ? null : await readJwks(values.jwks)
  const { issuer, product, tenant, instance } = values
  const keySet = values['key-set']
  return {
    file: positionals[0] ?? '',
    json: values.json ?? false,
    expected: { issuer, product, tenant, instance },
    publicKey,
    keys:
      publicKey && keySet !== undefined
        ? await keysOfSet(keySet, publicKey, issuer)
        : publicKey
          ? keysOf([{ raw: publicKey, kid: undefined }])
          : set && keysOfJwks(set),
  }
}

interface NamedKey {
  raw: Uint8Array<ArrayBuffer>
  kid: string | undefined
}

type Keys = NonNullable<TokenArguments['keys']>

/** These keys and no others, for whatever use: the reader named them by hand. */
function keysOf(trusted: readonly NamedKey[]): Keys {
  return async (product, use) => {
    const keys: TrustedKey[] = []
    for (const { raw, kid } of trusted) {
      const imported = await importTrustedKey(raw, { product, use, status: 'active', nbf: 0 }, kid)
      if (imported.ok) keys.push(imported.key)
    }
    return trustKeys(keys)
  }
}

/** A JWK set says of no key what it is for, and holds license keys alone (T4). */
function keysOfJwks(set: readonly NamedKey[]): Keys {
  const keys = keysOf(set)
  return async (product, use) => (use === 'license' ? keys(product, use) : new Map())
}

/** The keys of a set that this root signed, each for its product and use. @throws StartError */
async function keysOfSet(
  file: string,
  publicKey: Uint8Array<ArrayBuffer>,
  issuer: string | undefined,
): Promise<Keys> {
  const wrong = (why: string) =>
    new StartError(
      `${file} is no key set of this root key: ${why}.`,
      'Fetch it from /.well-known/leasehold-keys of the server, and give its root key as --public-key.',
    )
  const token = (await contentOf(file)).trim()
  const root = await importRootKey(publicKey)
  if (!root.ok) throw wrong(root.reason)
  const expected = { issuer: issuer ?? issuerIn(token), roots: [root.key], current: null } as const
  const followed = await followKeySet(token, expected)
  if (!followed.ok) throw wrong([followed.reason, followed.detail].filter(Boolean).join(' '))
  const { keys } = followed.keySet
  return async (product) => {
    if (product !== OFFLINE_PRODUCT) return keys
    // An envelope names no product: the raw key of any may have signed it.
    return trustKeys([...keys.values()].map((key) => ({ ...key, product })))
  }
}

/** What the set says of itself; its signature is checked after. */
function issuerIn(token: string): string {
  const payload = parseJsonObject(Buffer.from(token.split('.')[1] ?? '', 'base64url'))
  return payload.ok && typeof payload.value.iss === 'string' ? payload.value.iss : ''
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
