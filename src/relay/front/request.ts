// One instance's request as the relay sees it: who asks, with what, and the body word for word. Decides nothing.
import { instanceKey, publicId } from '../../platform/ids.ts'

export interface InstanceRequest {
  method: 'GET' | 'POST'
  path: string
  /** The Bearer credential, or null. */
  bearer: string | null
  /** JSON text as it came; null without a body. */
  text: string | null
  body: Record<string, unknown>
  /** Where the instance reaches this relay's own live channel: ws or wss. */
  sync: string
}

export const word = (value: unknown, longest = 255): string | null =>
  typeof value === 'string' && value !== '' && value.length <= longest ? value : null

export const nonceOf = ({ body }: InstanceRequest): string | null => {
  const nonce = word(body.nonce, 64)
  return nonce !== null && /^[A-Za-z0-9_-]{16,64}$/.test(nonce) ? nonce : null
}

export const instanceIdOf = ({ body }: InstanceRequest): string | null => word(body.instance_id)

export const productOf = ({ body }: InstanceRequest): string | null => word(body.product, 64)

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** What a report is numbered by, or null where its sender gave not both: one alone makes nothing count once. */
export function sentNumbersOf({
  boot_id,
  seq,
}: Record<string, unknown>): { bootId: string; seq: number } | null {
  const bootId = word(boot_id, 36)
  if (bootId === null || !UUID.test(bootId)) return null
  return typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0 ? { bootId, seq } : null
}

/** `ins_…`, as the live channel names instances. */
export const publicInstance = (product: string, instanceId: string): string =>
  publicId('ins', instanceKey(product, instanceId))
