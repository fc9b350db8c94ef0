// The two files of an offline activation: what a site without a network asks, and what it is answered. Plain types.
import type { Action } from './claims.ts'

export const ACTIVATION_REQUEST = 'leasehold-activation-request'
export const ACTIVATION_ANSWER = 'leasehold-activation'
/** Version of both files; another one is not read. */
export const ACTIVATION_VERSION = 1

/** The request file. Unsigned: it proves nothing, and what it says of itself is shown to whoever answers it. */
export interface ActivationRequest {
  kind: typeof ACTIVATION_REQUEST
  version: typeof ACTIVATION_VERSION
  product: string
  instance_id: string
  /** 128 random bits, base64url: kept by the site until it is answered, answered once. */
  nonce: string
  /** RFC 3339, by the site's own clock. */
  created_at: string
  /** The last word that the site heard of itself. */
  action: Action
  /** Its number; null where it never heard any. */
  action_seq: number | null
  license_key?: string
  server_version?: string
  hostname?: string
  fingerprint?: string
}

/** What of the answer file concerns the site; the server says more in it, for people. */
export interface ActivationAnswer {
  kind: typeof ACTIVATION_ANSWER
  version: typeof ACTIVATION_VERSION
  /** The offline answer, a compact JWS. */
  activation: string
  /** The root-signed key set, so that a site that pins a root alone can verify it. */
  key_set: string
}
