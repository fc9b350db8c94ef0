// What `installActivation` resolves to. Types alone.

/** Why an answer was not installed, with words in `message`. Nothing has changed then. */
export type ActivationRefusal =
  | 'malformed'
  | 'wrong_product'
  | 'wrong_instance'
  | 'wrong_issuer'
  | 'unknown_key'
  | 'key_revoked'
  | 'tampered'
  | 'expired'
  | 'replayed'
  | 'unknown_request'
  | 'superseded'

export type ActivationResult =
  | {
      ok: true
      licenseId: string
      tier: string
      expiresAt: string
      action: 'none' | 'downgrade'
    }
  | { ok: false; reason: ActivationRefusal; message: string }
