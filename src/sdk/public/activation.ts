// What `installActivation` resolves to. Types alone.

/** Why an answer was not installed. Nothing has changed then. */
export type ActivationRefusal =
  /** Not the answer to an offline activation, or of a version that this SDK does not read. */
  | 'malformed'
  | 'wrong_product'
  | 'wrong_instance'
  | 'wrong_issuer'
  /** Signed with a key that neither the pinned keys nor the key set beside it name. */
  | 'unknown_key'
  | 'key_revoked'
  /** Changed after it was signed, or it contradicts itself. */
  | 'tampered'
  /** Not installed in time. */
  | 'expired'
  /** Installed before. */
  | 'replayed'
  /** The request that it answers was not made here, or too long ago. */
  | 'unknown_request'
  /** The server has said something later since (T3). */
  | 'superseded'

export type ActivationResult =
  | {
      ok: true
      licenseId: string
      tier: string
      /** RFC 3339, end of the lease; its grace follows. */
      expiresAt: string
      /** What the vendor's admin says of this instance. `none` clears a kill. */
      action: 'none' | 'downgrade'
    }
  | { ok: false; reason: ActivationRefusal; message: string }
