// Signs JWS objects: each `typ` with its claims and its kind of key, never bare bytes (T4).
import {
  ACTIVATION_TYP,
  ALLOTMENT_TYP,
  DIRECTIVE_TYP,
  type JwsClaims,
  type JwsTyp,
  KEY_SET_TYP,
  KEY_USE_OF_TYP,
  LICENSE_TYP,
  type ProductTyp,
  SIGNATURE_ALG,
} from '../contract/claims.ts'
import { readActivationClaims } from '../license/activation.ts'
import { readAllotmentClaims } from '../license/allotment.ts'
import { readDirectiveClaims } from '../license/directive.ts'
import type { JsonObject } from '../license/json.ts'
import { readKeySetClaims } from '../license/key-set.ts'
import { readLicenseClaims } from '../license/license-jwt.ts'
import type { Read, Refused } from '../license/verified.ts'
import { signBytes } from './ed25519.ts'
import type { RootSigningKey, SigningKey } from './keys.ts'

/** The key that may sign a `typ`: a product's key of the use that the contract names, and the root for key sets. */
export type JwsSigner<Typ extends JwsTyp> = Typ extends ProductTyp
  ? SigningKey<(typeof KEY_USE_OF_TYP)[Typ]>
  : RootSigningKey

type Rules = {
  [Typ in JwsTyp]: {
    use: JwsSigner<Typ>['use']
    read: (claims: JsonObject) => Read<JwsClaims[Typ]> | Refused
  }
}

const RULES: Rules = {
  [LICENSE_TYP]: { use: KEY_USE_OF_TYP[LICENSE_TYP], read: readLicenseClaims },
  [DIRECTIVE_TYP]: { use: KEY_USE_OF_TYP[DIRECTIVE_TYP], read: readDirectiveClaims },
  [ALLOTMENT_TYP]: { use: KEY_USE_OF_TYP[ALLOTMENT_TYP], read: readAllotmentClaims },
  [ACTIVATION_TYP]: { use: KEY_USE_OF_TYP[ACTIVATION_TYP], read: readActivationClaims },
  [KEY_SET_TYP]: { use: 'root', read: readKeySetClaims },
}

/**
 * A compact JWS of these claims. Throws a TypeError when the key may not sign this `typ`, belongs to another product
 * than `aud`, or no verifier would take the claims: nothing is signed then.
 */
export function signJws<Typ extends JwsTyp>(
  key: JwsSigner<NoInfer<Typ>>,
  typ: Typ,
  claims: JwsClaims[NoInfer<Typ>],
): string {
  const signer: RootSigningKey | SigningKey = key
  const rule: { use: string; read: (claims: JsonObject) => Read<object> | Refused } = RULES[typ]
  if (signer.use !== rule.use) throw new TypeError(`a ${signer.use} key does not sign ${typ}`)
  const read = rule.read({ ...claims })
  if (!read.ok) throw new TypeError(`not the claims of ${typ}: ${read.reason} ${read.detail ?? ''}`.trimEnd())
  if (signer.use !== 'root' && (!('aud' in read.claims) || read.claims.aud !== signer.product)) {
    throw new TypeError(`the key belongs to another product than aud`)
  }
  const signingInput = `${headerOf(signer, typ)}.${encodeJson(read.claims)}`
  return `${signingInput}.${signBytes(signer.privateKey, Buffer.from(signingInput)).toString('base64url')}`
}

/** Encoded headers by key: a key signs the same few of them all its life. */
const headers = new WeakMap<object, Map<string, string>>()

function headerOf(signer: RootSigningKey | SigningKey, typ: string): string {
  const known = headers.get(signer) ?? new Map<string, string>()
  const header = known.get(typ) ?? encodeJson({ alg: SIGNATURE_ALG, typ, kid: signer.kid })
  if (known.size === 0) headers.set(signer, known)
  known.set(typ, header)
  return header
}

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
