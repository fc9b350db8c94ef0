// state.json: what outlives the process, in every mode. Writes it from the state and reads it strictly back.
import { ACTIONS, LAST_SECOND } from '../../contract/claims.ts'
import { isJsonObject, type JsonObject } from '../../license/json.ts'
import {
  count,
  days,
  longText,
  matching,
  memberReader,
  oneOf,
  seconds,
  text,
  textOrEmpty,
} from '../../license/members.ts'
import type { Rejection, Rejections } from '../grants/rejection.ts'
import { type StoredTime, storeTime } from '../time/clock.ts'
import type { InstanceAction, SdkState } from './state.ts'

export const STATE_FORMAT = 1

export interface StoredState {
  format: number
  product: string
  issuer: string
  instance_id: string
  time: StoredTime
  action: InstanceAction | null
  rejections: Rejections
  refresh_token: string | null
  refresh_id: string | null
  instance_token: string | null
  /** Compact JWS of a key set, where an older version left it; it has a file of its own now. */
  key_set: string | null
  /** SHA-256 of the credential that the cached license came from. */
  credential: string | null
  /** Of the license key in use. */
  key_use: { hash: string; first_used_at: number; confirmed_at: number | null; grace_days: number } | null
  entitlement_hash: string
  shown: string[]
  /** Nonce of the last offline answer that was applied. */
  activation?: string
}

/** The file's content; the key set is trust's own, in its own file. */
export function toStored(state: SdkState): StoredState {
  const key = state.licenseKey
  return {
    format: STATE_FORMAT,
    product: state.config.product,
    issuer: state.config.issuer,
    instance_id: state.config.instanceId,
    time: storeTime(state.time),
    action: state.action,
    rejections: state.rejections,
    refresh_token: state.chain.refreshToken,
    refresh_id: state.chain.refreshId,
    instance_token: state.identity.token,
    key_set: null,
    credential: state.credential,
    key_use: key
      ? {
          hash: key.hash,
          first_used_at: key.use.firstUsedAt,
          confirmed_at: key.use.confirmedAt,
          grace_days: key.use.graceDays,
        }
      : null,
    entitlement_hash: state.entitlementHash,
    shown: [...state.shown],
    ...(state.appliedActivation === null ? {} : { activation: state.appliedActivation }),
  }
}

const token = matching(/^[\x21-\x7e]{1,255}$/)
const orNull =
  <T>(check: (value: unknown) => value is T) =>
  (value: unknown): value is T | null =>
    value === null || check(value)

/** Up to the year 9999 either way: whatever is added to it, a date can still hold it. */
const milliseconds = (value: unknown): value is number =>
  typeof value === 'number' && Math.abs(value) <= LAST_SECOND * 1000

const readTime = memberReader<StoredTime>({
  required: { floor: orNull(milliseconds), floor_epoch: count, ahead: milliseconds },
  optional: {},
  forbidden: [],
})

const readAction = memberReader<InstanceAction>({
  required: { action: oneOf(ACTIONS), seq: count, reason: textOrEmpty, iat: seconds },
  optional: {},
  forbidden: [],
})

const readRejection = memberReader<Rejection>({
  required: { status: oneOf(['suspended', 'revoked', 'expired'] as const), reason: text, iat: seconds },
  optional: {},
  forbidden: [],
})

const readKeyUse = memberReader<NonNullable<StoredState['key_use']>>({
  required: { hash: text, first_used_at: seconds, confirmed_at: orNull(seconds), grace_days: days },
  optional: {},
  forbidden: [],
})

const reads =
  <T>(read: (value: JsonObject) => { ok: boolean }) =>
  (value: unknown): value is T =>
    isJsonObject(value) && read(value).ok

const readMembers = memberReader<StoredState>({
  required: {
    format: count,
    product: text,
    issuer: longText,
    instance_id: text,
    time: reads<StoredTime>(readTime),
    action: orNull(reads<InstanceAction>(readAction)),
    rejections: (value): value is Rejections =>
      isJsonObject(value) && Object.values(value).every(reads<Rejection>(readRejection)),
    refresh_token: orNull(token),
    refresh_id: orNull(token),
    instance_token: orNull(token),
    key_set: orNull(matching(/^[\w.-]{1,65536}$/)),
    credential: orNull(text),
    key_use: orNull(reads<NonNullable<StoredState['key_use']>>(readKeyUse)),
    entitlement_hash: textOrEmpty,
    shown: (value): value is string[] => Array.isArray(value) && value.every((item) => longText(item)),
  },
  optional: { activation: text },
  forbidden: [],
})

/**
 * What is wrong with a state file, or the state that it holds. Of another instance of the same product and issuer, which
 * this one was before its id was changed, it holds what concerns the license (`carryOver`).
 */
export function readStored(
  file: string,
  own: { product: string; issuer: string; instanceId: string },
):
  | { ok: true; stored: StoredState }
  | { ok: false; reason: 'torn' | 'newer' | 'foreign'; carried?: StoredState } {
  let value: unknown
  try {
    value = JSON.parse(file)
  } catch {
    return { ok: false, reason: 'torn' }
  }
  if (!isJsonObject(value)) return { ok: false, reason: 'torn' }
  if (typeof value.format === 'number' && value.format > STATE_FORMAT) return { ok: false, reason: 'newer' }
  const read = readMembers(value)
  if (!read.ok || read.claims.format !== STATE_FORMAT) return { ok: false, reason: 'torn' }
  const { product, issuer, instance_id: instanceId } = read.claims
  if (product !== own.product || issuer !== own.issuer) return { ok: false, reason: 'foreign' }
  if (instanceId === own.instanceId) return { ok: true, stored: read.claims }
  return { ok: false, reason: 'foreign', carried: carryOver(read.claims, own.instanceId) }
}

/** Rejections, floor and key use go with the license; action, chain and token belong to the instance that it was. */
function carryOver({ activation: _, ...stored }: StoredState, instanceId: string): StoredState {
  return {
    ...stored,
    instance_id: instanceId,
    action: null,
    refresh_token: null,
    refresh_id: null,
    instance_token: null,
    credential: null,
    entitlement_hash: '',
  }
}
