// Vocabulary of the figures of the fleet. Plain constants.

/** Days before a license's end that are counted and told of. */
export const EXPIRY_DAYS = [60, 30, 14, 7, 1] as const
export type ExpiryDays = (typeof EXPIRY_DAYS)[number]

/** By the age of the last report. */
export const LAST_SEEN = ['under_1h', 'under_24h', 'under_48h', 'under_7d', 'under_30d', 'older'] as const

/** A license by its row and the time. */
export const LICENSE_STATES = ['active', 'in_grace', 'expired', 'suspended', 'revoked'] as const

/** The same for an instance, from best to worst. */
export const SEAT_STATES = ['active', 'in_grace', 'suspended', 'expired', 'revoked', 'unlicensed'] as const
