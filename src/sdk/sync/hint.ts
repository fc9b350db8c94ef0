// What a message of the live channel comes to: at most a reason to ask again, and a place to go on from (T1).
import { isJsonObject } from '../../license/json.ts'
import { inOrder } from '../grants/choose.ts'
import type { Want } from '../state/hints.ts'
import type { SdkState } from '../state/state.ts'

/** Characters of a message; the longest that a server sends is some 150. */
export const MOST_MESSAGE = 4096

export interface Message {
  type: string
  event: number | null
  licenseId: unknown
  instance: unknown
  product: unknown
  /** Seconds between pings, as they came. */
  pingInterval: unknown
}

/** Null for what is no message of this protocol. */
export function readMessage(data: unknown): Message | null {
  if (typeof data !== 'string' || data.length > MOST_MESSAGE) return null
  try {
    const value: unknown = JSON.parse(data)
    if (!isJsonObject(value) || typeof value.type !== 'string') return null
    const { type, event, license_id: licenseId, instance, product, ping_interval: pingInterval } = value
    const isPlace = Number.isSafeInteger(event) && Number(event) >= 0
    if (!isPlace && event !== undefined) return null
    return { type, event: isPlace ? Number(event) : null, licenseId, instance, product, pingInterval }
  } catch {
    return null
  }
}

/** What there is to be asked for; null where it concerns somebody else. `own` is this instance's `ins_…`. */
export function hintOf(message: Message, state: SdkState, own: string): Want | null {
  const { type, licenseId, instance, product } = message
  switch (type) {
    case 'license.changed': {
      if (instance !== undefined && instance !== own) return null
      const known = [
        ...inOrder(state.slots).map((grant) => grant.licenseId),
        ...Object.keys(state.rejections),
      ]
      return known.length === 0 || known.includes(String(licenseId)) ? 'grant' : null
    }
    case 'action.changed':
      return instance === own ? 'heartbeat' : null
    // A directive names the key set, which is fetched where it is a newer one.
    case 'keys.changed':
      return product === state.config.product ? 'heartbeat' : null
    case 'resync_required':
      return 'grant'
    default:
      return null
  }
}
