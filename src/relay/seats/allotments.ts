// The seats that the vendor delegated to this relay, as it signed them: kept, verified, renewed in time.

/** What of a verified allotment the relay acts on (reference, section 0). */
export interface AllotmentClaims {
  /** Product code. */
  aud: string
  /** This relay. */
  sub: string
  jti: string
  seq: number
  license_id: string
  seats: number
  iat: number
  /** Unix seconds. */
  exp: number
  grant: { tier: string; features: string[]; limits?: Record<string, number> }
}

export interface HeldAllotment {
  token: string
  claims: AllotmentClaims
  /** Unix milliseconds of the answer that brought it. */
  syncedAt: number
}
