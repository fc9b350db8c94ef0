// What a test says of the license that its server grants. A type alone.

/** What a vendor sells, as far as a test says it. */
export interface TestLicense {
  /** Default `pro`. */
  tier: string
  /** Default none. */
  features: readonly string[]
  /** −1 is unlimited. Default none. */
  limits: Readonly<Record<string, number>>
  /** Default 30. */
  graceDays: number
  /** Seconds that a lease runs. Default 86 400. */
  leaseSeconds: number
  /** The license's own end, RFC 3339; null is perpetual. Default null. */
  expiresAt: string | null
  /** Default false. */
  trial: boolean
}
