// Vocabulary of the telemetry that an admin reads. Plain types and constants.

export const TELEMETRY_BUCKETS = ['hour', 'day'] as const
export type TelemetryBucket = (typeof TELEMETRY_BUCKETS)[number]

export const TELEMETRY_GROUPS = ['version', 'tier', 'license'] as const
export type TelemetryGroup = (typeof TELEMETRY_GROUPS)[number]
/** `all`: not grouped. */
export type TelemetryDimension = TelemetryGroup | 'all'

/** Longest range of one question, in days. */
export const MOST_DAYS: Record<TelemetryBucket, number> = { hour: 31, day: 400 }

/** Rows on a page: so few that no page is felt by other requests. */
export const MOST_ROWS = 10_000
export const DEFAULT_ROWS = 5_000

/** Stands for the versions beyond the most that a product may have on one day. */
export const OTHER_VERSIONS = 'other'
