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

/** `ins_…`, as the live channel names instances. */
export const publicInstance = (product: string, instanceId: string): string =>
  publicId('ins', instanceKey(product, instanceId))
