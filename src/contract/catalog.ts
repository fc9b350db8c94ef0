// Closed vocabularies of the catalog and of what is stored about instances. Plain types and constants.

/** How a product's instances prove who they are: `open` asks for nothing, `token` for an instance token. */
export const INSTANCE_AUTHS = ['open', 'token'] as const
export type InstanceAuth = (typeof INSTANCE_AUTHS)[number]

/** The claim of a license JWT that carries the limits. */
export const LIMITS_CLAIMS = ['limits', 'quotas'] as const
export type LimitsClaim = (typeof LIMITS_CLAIMS)[number]

export const METRIC_KINDS = ['gauge', 'counter'] as const
export type MetricKind = (typeof METRIC_KINDS)[number]

/** What a product says of a metric: its kind, and the limit that it counts against. */
export interface MetricRule {
  kind: MetricKind
  limit?: string
}
export type MetricMap = Record<string, MetricRule>

/** `expired` is derived from time and never stored. */
export const STORED_LICENSE_STATUSES = ['active', 'suspended', 'revoked'] as const
export type StoredLicenseStatus = (typeof STORED_LICENSE_STATUSES)[number]
export type LicenseStatus = StoredLicenseStatus | 'expired'

/** How a report, a sighting or an instance was proven (T11). */
export const PROOFS = ['none', 'instance', 'license', 'relay'] as const
export type Proof = (typeof PROOFS)[number]

export const REPORT_KINDS = ['heartbeat', 'refresh', 'telemetry'] as const
export type ReportKind = (typeof REPORT_KINDS)[number]

export type CredentialSource = 'api_key' | 'license_key' | 'static_jwt'
export const SEAT_ENDED_BY = ['instance', 'admin', 'expiry'] as const
export type SeatEndedBy = (typeof SEAT_ENDED_BY)[number]

export const ROLES = ['owner', 'operator', 'support', 'auditor'] as const
export type Role = (typeof ROLES)[number]

/** Unlimited, as it stands in `limits` on the wire. */
export const UNLIMITED = -1

/** How a perpetual license's end is shown to clients that need a date. */
export const PERPETUAL = '9999-12-31T23:59:59Z'
