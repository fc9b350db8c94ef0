// Reads and verifies the offline envelope: base64(payload).base64(signature), with the messages of the reference
// (section 4) in their order. When it counts as grace is state.ts.
import { decodeBase64 } from './base64.ts'
import { MAX_TOKEN_LENGTH } from './compact-jws.ts'
import { type JsonObject, parseJsonObject } from './json.ts'
import { checkKey } from './key-choice.ts'
import { count, days, longText, quotas, seconds, text, texts } from './members.ts'
import { DAY, isThrough } from './times.ts'
import { checkSignature, type TrustedKeys } from './trusted-keys.ts'
import type { RawHeader, Refusal, UnixSeconds, Verified } from './verified.ts'

/** How an envelope says unlimited; −1 would refuse everything. */
export const ENVELOPE_UNLIMITED = 2_147_483_647

export interface EnvelopePayload {
  exp: UnixSeconds
  gracePeriodDays: number
  iat: UnixSeconds
  label?: string
  /** A UUID. */
  licenseId: string
  limits: Record<string, number>
  tenantId: string
  tier?: string
  features?: string[]
  instanceId?: string
}

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

type Read = { ok: true; claims: EnvelopePayload } | EnvelopeRefused

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const OPENING_BRACE = 0x7b
const no = (reason: Refusal, message: string): EnvelopeRefused => ({ ok: false, reason, message })

/** Verifies an envelope; keys that have retired still hold for it (T4: old offline grants). */
export async function verifyEnvelope(
  token: string,
  expected: EnvelopeExpectation,
): Promise<Verified<EnvelopePayload, RawHeader> | EnvelopeRefused> {
  const badForm = no('wrong_form', 'Invalid license token format: expected payload.signature')
  if (typeof token !== 'string') return badForm
  if (token.length > MAX_TOKEN_LENGTH) return no('too_large', 'License token is too large')
  const [encodedPayload, encodedSignature, ...rest] = token.split('.', 3)
  if (!encodedPayload || !encodedSignature || rest.length > 0) return badForm
  const payload = decodeBase64(encodedPayload)
  const signature = decodeBase64(encodedSignature)
  if (!payload || !signature) return no('bad_encoding', 'License token is not valid base64')
  const kid = await verifyingKid(payload, signature, expected)
  if (kid === null) return no('bad_signature', 'License signature verification failed')
  const parsed = payload[0] === OPENING_BRACE ? parseJsonObject(payload) : null
  if (!parsed?.ok) return no('not_json', 'Failed to parse license payload')
  const read = readEnvelope(parsed.value, expected)
  if (!read.ok) return read
  const { claims } = read
  if (
    expected.instanceId !== undefined &&
    (claims.instanceId ?? expected.instanceId) !== expected.instanceId
  ) {
    return no('wrong_instance', 'License belongs to another instance')
  }
  if (expected.age === 'within_grace' && !isThrough(claims.exp + claims.gracePeriodDays * DAY, expected)) {
    const ended = new Date(claims.exp * 1000).toISOString().replace('.000Z', 'Z')
    return no('expired', `License expired at ${ended} (grace period ${claims.gracePeriodDays} days)`)
  }
  return { ok: true, claims, header: { kid } }
}

function readEnvelope(payload: JsonObject, { tenantId, now }: EnvelopeExpectation): Read {
  const { licenseId, tenantId: tenant, exp, gracePeriodDays = 0, iat = now, limits = {} } = payload
  const bad = (member: string) => no('bad_member', `${member} is not valid`)
  if (licenseId === undefined || licenseId === null || licenseId === '') {
    return no('missing_member', 'licenseId is required')
  }
  if (typeof licenseId !== 'string' || !UUID.test(licenseId)) {
    return no('bad_member', `licenseId is not a valid UUID: ${String(licenseId).slice(0, 100)}`)
  }
  if (!text(tenant)) return no('missing_member', 'tenantId is required')
  if (tenantId !== undefined && tenant !== tenantId) {
    return no('wrong_audience', `License tenantId '${tenant}' does not match server tenant '${tenantId}'`)
  }
  if (exp === undefined || exp === null || exp === 0) return no('missing_member', 'exp is required')
  if (!seconds(exp)) return bad('exp')
  if (!count(gracePeriodDays)) return no('bad_member', 'gracePeriodDays must be >= 0')
  if (!days(gracePeriodDays)) return bad('gracePeriodDays')
  if (!seconds(iat)) return bad('iat')
  if (!quotas(limits)) return bad('limits')
  if (payload.nonce !== undefined) return no('forbidden_member', 'nonce is not a member of a license')
  const claims: EnvelopePayload = {
    exp,
    gracePeriodDays,
    iat,
    licenseId,
    limits: { ...limits },
    tenantId: tenant,
  }
  const { label, tier, features, instanceId } = payload
  if (label !== undefined && label !== null) {
    if (!longText(label)) return bad('label')
    claims.label = label
  }
  if (tier !== undefined) {
    if (!text(tier)) return bad('tier')
    claims.tier = tier
  }
  if (features !== undefined) {
    if (!texts(features)) return bad('features')
    claims.features = [...features]
  }
  if (instanceId !== undefined) {
    if (!text(instanceId)) return bad('instanceId')
    claims.instanceId = instanceId
  }
  return { ok: true, claims }
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
