// Reads and verifies the offline envelope: base64(payload).base64(signature), refusing in the order of the reference
// (section 4). The words are messages.ts, when it counts as grace is state.ts.
import type { EnvelopePayload } from '../contract/claims.ts'
import { decodeBase64 } from './base64.ts'
import { MAX_TOKEN_LENGTH } from './compact-jws.ts'
import { type JsonObject, parseJsonObject } from './json.ts'
import { checkKey } from './key-choice.ts'
import { days, longText, seconds, text, texts, wholeNumbers } from './members.ts'
import { ENVELOPE_REFUSALS as TEXTS } from './messages.ts'
import { DAY, isThrough } from './times.ts'
import { checkSignature, type TrustedKeys } from './trusted-keys.ts'
import type { RawHeader, Read, Refusal, UnixSeconds, Verified } from './verified.ts'

export interface EnvelopeExpectation {
  /** Product code: an envelope names none, its key does (T4). */
  product: string
  keys: TrustedKeys
  /** Tenant that it must name; left out, any. */
  tenantId?: string | undefined
  /** Instance that it must name if it names one; left out, any. */
  instanceId?: string | undefined
  now: UnixSeconds
  /** `any` to show or compare it, or to tell how long ago it ended. */
  age: 'within_grace' | 'any'
}

export interface EnvelopeRefused {
  ok: false
  reason: Refusal
  /** To the letter of the reference. */
  message: string
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const OPENING_BRACE = 0x7b
const no = (reason: Refusal, message: string): EnvelopeRefused => ({ ok: false, reason, message })

/** Verifies an envelope; keys that have retired still hold for it (T4: old offline grants). */
export async function verifyEnvelope(
  token: string,
  expected: EnvelopeExpectation,
): Promise<Verified<EnvelopePayload, RawHeader> | EnvelopeRefused> {
  const badForm = no('wrong_form', TEXTS.form)
  if (typeof token !== 'string') return badForm
  if (token.length > MAX_TOKEN_LENGTH) return no('too_large', TEXTS.size)
  const [encodedPayload, encodedSignature, ...rest] = token.split('.', 3)
  if (!encodedPayload || !encodedSignature || rest.length > 0) return badForm
  const payload = decodeBase64(encodedPayload)
  const signature = decodeBase64(encodedSignature)
  if (!payload || !signature) return no('bad_encoding', TEXTS.base64)
  const kid = await verifyingKid(payload, signature, expected)
  if (kid === null) return no('bad_signature', TEXTS.signature)
  const parsed = payload[0] === OPENING_BRACE ? parseJsonObject(payload) : null
  if (!parsed?.ok) return no('not_json', TEXTS.payload)
  const read = readEnvelope(parsed.value, expected)
  if (!read.ok) return read
  const { claims } = read
  if (
    expected.instanceId !== undefined &&
    (claims.instanceId ?? expected.instanceId) !== expected.instanceId
  ) {
    return no('wrong_instance', TEXTS.instance)
  }
  if (expected.age === 'within_grace' && !isThrough(claims.exp + claims.gracePeriodDays * DAY, expected)) {
    return no('expired', TEXTS.expired(claims.exp, claims.gracePeriodDays))
  }
  return { ok: true, claims, header: { kid } }
}

/** The members of a payload in the order of the reference: no signature, no time. `iat` defaults to `now`. */
export function readEnvelope(
  payload: JsonObject,
  { tenantId, now }: Pick<EnvelopeExpectation, 'tenantId' | 'now'>,
): Read<EnvelopePayload> | EnvelopeRefused {
  const { licenseId, tenantId: tenant, exp } = payload
  // Other writers say null where they mean nothing.
  const gracePeriodDays = payload.gracePeriodDays ?? 0
  const iat = payload.iat ?? now
  const limits = payload.limits ?? {}
  const missing = (member: string) => no('missing_member', TEXTS.required(member))
  const bad = (member: string) => no('bad_member', TEXTS.member(member))
  if (isBlank(licenseId)) return missing('licenseId')
  if (typeof licenseId !== 'string' || !UUID.test(licenseId)) {
    return no('bad_member', TEXTS.uuid(String(licenseId).slice(0, 100)))
  }
  if (isBlank(tenant)) return missing('tenantId')
  if (!text(tenant)) return bad('tenantId')
  if (tenantId !== undefined && tenant !== tenantId) {
    return no('wrong_audience', TEXTS.tenant(tenant, tenantId))
  }
  if (isBlank(exp)) return missing('exp')
  if (!seconds(exp)) return bad('exp')
  if (Number(gracePeriodDays) < 0) return no('bad_member', TEXTS.grace)
  if (!days(gracePeriodDays)) return bad('gracePeriodDays')
  if (!seconds(iat)) return bad('iat')
  if (!wholeNumbers(limits)) return bad('limits')
  if (payload.nonce !== undefined) return no('forbidden_member', TEXTS.foreign('nonce'))
  const claims: EnvelopePayload = {
    exp,
    gracePeriodDays,
    iat,
    licenseId,
    limits: { ...limits },
    tenantId: tenant,
  }
  const { label, tier, features, instanceId } = payload
  if (label !== undefined && label !== null && label !== '') {
    if (!longText(label)) return bad('label')
    claims.label = label
  }
  if (tier !== undefined && tier !== null) {
    if (!text(tier)) return bad('tier')
    claims.tier = tier
  }
  if (features !== undefined && features !== null) {
    if (!texts(features)) return bad('features')
    claims.features = [...features]
  }
  if (instanceId !== undefined && instanceId !== null) {
    if (!text(instanceId)) return bad('instanceId')
    claims.instanceId = instanceId
  }
  return { ok: true, claims }
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '')
}

async function verifyingKid(
  payload: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  { keys, product }: EnvelopeExpectation,
): Promise<string | null> {
  if (signature.length !== 64) return null
  for (const candidate of keys.values()) {
    const chosen = checkKey(candidate, 'raw', { product, acceptRetired: true })
    if (chosen.ok && (await checkSignature(chosen.key, signature, payload))) return chosen.key.kid
  }
  return null
}
