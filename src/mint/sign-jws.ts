// Signs JWS objects: each `typ` with its claims and its kind of key, never bare bytes (T4).
import {
  ACTIVATION_TYP,
  ALLOTMENT_TYP,
  DIRECTIVE_TYP,
  type JwsClaims,
  type JwsTyp,
  KEY_SET_TYP,
  LICENSE_TYP,
  SIGNATURE_ALG,
} from '../contract/claims.ts'
import { readActivationClaims } from '../license/activation.ts'
import { readAllotmentClaims } from '../license/allotment.ts'
import { encodeBase64url } from '../license/base64.ts'
import { readDirectiveClaims } from '../license/directive.ts'
import type { JsonObject } from '../license/json.ts'
import { readKeySetClaims } from '../license/key-set.ts'
import { readLicenseClaims } from '../license/license-jwt.ts'
import type { Read, Refused } from '../license/verified.ts'
import type { RootSigningKey, SigningKey } from './keys.ts'

/** The key that may sign a `typ`: the root for key sets, else a product's `jws` key. */
export type JwsSigner<Typ extends JwsTyp> = Typ extends typeof KEY_SET_TYP
  ? RootSigningKey
  : SigningKey<'jws'>

type Rules = {
  [Typ in JwsTyp]: {
    use: JwsSigner<Typ>['use']
    read: (claims: JsonObject) => Read<JwsClaims[Typ]> | Refused
  }
}

const RULES: Rules = {
  [LICENSE_TYP]: { use: 'jws', read: readLicenseClaims },
  [DIRECTIVE_TYP]: { use: 'jws', read: readDirectiveClaims },
  [ALLOTMENT_TYP]: { use: 'jws', read: readAllotmentClaims },
  [KEY_SET_TYP]: { use: 'root', read: readKeySetClaims },
  [ACTIVATION_TYP]: { use: 'jws', read: readActivationClaims },
}

const utf8 = new TextEncoder()

/**
 * A compact JWS of these claims. Throws a TypeError when the key may not sign this `typ`, belongs to another product
 * than `aud`, or no verifier would take the claims: nothing is signed then.
 */
export async function signJws<Typ extends JwsTyp>(
  key: JwsSigner<NoInfer<Typ>>,
  typ: Typ,
  claims: JwsClaims[NoInfer<Typ>],
): Promise<string> {
  const signer: RootSigningKey | SigningKey = key
  const rule: { use: string; read: (claims: JsonObject) => Read<object> | Refused } = RULES[typ]
  if (signer.use !== rule.use) throw new TypeError(`a ${signer.use} key does not sign ${typ}`)
  const read = rule.read({ ...claims })
  if (!read.ok) throw new TypeError(`not the claims of ${typ}: ${read.reason} ${read.detail ?? ''}`.trimEnd())
  if (signer.use !== 'root' && (!('aud' in read.claims) || read.claims.aud !== signer.product)) {
    throw new TypeError(`the key belongs to another product than aud`)
  }
  const header = encodeJson({ alg: SIGNATURE_ALG, typ, kid: signer.kid })
  const signingInput = `${header}.${encodeJson(read.claims)}`
  const signature = await crypto.subtle.sign('Ed25519', signer.privateKey, utf8.encode(signingInput))
  return `${signingInput}.${encodeBase64url(new Uint8Array(signature))}`
}

function encodeJson(value: object): string {
  return encodeBase64url(utf8.encode(JSON.stringify(value)))
}
