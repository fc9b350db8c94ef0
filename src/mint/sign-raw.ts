// Signs raw objects: each kind with its payload, its form and the product's `raw` key, never bare bytes (T4).
import type { RawKind, RawPayloads } from '../contract/claims.ts'
import { readEntitlementToken } from '../license/entitlement-token.ts'
import type { JsonObject } from '../license/json.ts'
import { readLicenseKey } from '../license/license-key.ts'
import type { Read, Refused } from '../license/verified.ts'
import { signBytes } from './ed25519.ts'
import { readEnvelopeToSign, writeEnvelope } from './envelope.ts'
import type { SigningKey } from './keys.ts'

/** One row for each kind: how its payload is checked, written down and put into text. */
interface RawForm<Payload> {
  read: (payload: JsonObject) => Read<Payload> | Refused
  /** The payload as the exact text to sign; the same payload always gives the same text. */
  write: (payload: Payload) => string
  encoding: 'base64' | 'base64url'
  /** The product that the payload names; null where the key alone says it. */
  product: (payload: Payload) => string | null
}

const named = ({ product }: { product: string }) => product

const FORMS: { [Kind in RawKind]: RawForm<RawPayloads[Kind]> } = {
  entitlement_token: {
    read: readEntitlementToken,
    write: JSON.stringify,
    encoding: 'base64url',
    product: named,
  },
  license_key: { read: readLicenseKey, write: JSON.stringify, encoding: 'base64url', product: named },
  envelope: { read: readEnvelopeToSign, write: writeEnvelope, encoding: 'base64', product: () => null },
}

/**
 * A raw object in two parts, payload and signature over the payload's bytes. Throws a TypeError when the key is not
 * a `raw` key, belongs to another product than the payload, or no verifier would take the payload.
 */
export function signRaw<Kind extends RawKind>(
  key: SigningKey<'raw'>,
  kind: Kind,
  payload: RawPayloads[NoInfer<Kind>],
): string {
  const form: RawForm<RawPayloads[Kind]> = FORMS[kind]
  if (key.use !== 'raw') throw new TypeError(`a ${String(key.use)} key does not sign ${kind}`)
  const read = form.read({ ...payload })
  if (!read.ok) throw new TypeError(`not a payload of ${kind}: ${read.reason} ${read.detail ?? ''}`.trimEnd())
  if ((form.product(read.claims) ?? key.product) !== key.product) {
    throw new TypeError(`the key belongs to another product than ${kind}`)
  }
  const bytes = Buffer.from(form.write(read.claims))
  return `${bytes.toString(form.encoding)}.${signBytes(key.privateKey, bytes).toString(form.encoding)}`
}
