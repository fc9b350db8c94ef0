// Makes the request file of a site without a network. Signs nothing: whoever answers it decides what it is worth.
import {
  ACTIVATION_REQUEST,
  ACTIVATION_VERSION,
  type ActivationRequest,
} from '../../contract/offline-activation.ts'
import { encodeBase64url } from '../../license/base64.ts'
import { opened, type Shelf } from './shelf.ts'

/** What the request says beside its nonce. */
export type RequestFacts = Omit<ActivationRequest, 'kind' | 'version' | 'nonce'>

/** The file's text, its nonce kept before it is handed out. `kept` is false where it was not: only this run takes the answer. */
export async function makeRequest(
  shelf: Shelf,
  facts: RequestFacts,
  random: (count: number) => Uint8Array,
): Promise<{ text: string; kept: boolean }> {
  const nonce = encodeBase64url(random(16))
  const { product, instance_id, created_at, ...rest } = facts
  const request: ActivationRequest = {
    kind: ACTIVATION_REQUEST,
    version: ACTIVATION_VERSION,
    product,
    instance_id,
    nonce,
    created_at,
    ...rest,
  }
  const kept = await shelf.keepRequests(opened(await shelf.requests(), nonce))
  return { text: `${JSON.stringify(request, null, 2)}\n`, kept }
}
