// What a message of the live channel comes to: at most a reason to ask again, and a place to go on from (T1).
import { isJsonObject, type JsonObject } from '../../license/json.ts'
import { count } from '../../license/members.ts'
import { inOrder } from '../grants/choose.ts'
import type { Want } from '../state/hints.ts'
import type { SdkState } from '../state/state.ts'

/** Characters of a message; the longest that a server sends is some 150. */
export const MOST_MESSAGE = 4096

/** Of the members, `type` and `event` alone are known to be what they should. */
export type Message = JsonObject & { type: string; event?: number }

/** Null for what is no message of this protocol. */
export function readMessage(data: unknown): Message | null {
  if (typeof data !== 'string' || data.length > MOST_MESSAGE) return null
  try {
    const value: unknown = JSON.parse(data)
    return isJsonObject(value) && isMessage(value) ? value : null
  } catch {
    return null
  }
}

const isMessage = (value: JsonObject): value is Message =>
  typeof value.type === 'string' && (value.event === undefined || count(value.event))

/** What there is to be asked for; null where it concerns somebody else. `own` is this instance's `ins_…`. */
export function hintOf(message: Message, state: SdkState, own: string): Want | null {
  const { type, license_id: licenseId, instance, product } = message
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
