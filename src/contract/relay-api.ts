// Messages between a relay and the server, as they go over the wire: plain types and constants. Source: reference,
// sections 0, 3 and 5. Instances never speak them.
import type { LimitValues } from './claims.ts'
import type { HeartbeatMetrics, TelemetryReport } from './instance-api.ts'

export const RELAY_ENROL_PATH = '/api/v1/relays/enroll'
export const RELAY_LICENSES_PATH = '/api/v1/relay/licenses'
export const RELAY_ALLOTMENTS_PATH = '/api/v1/relay/allotments'
export const RELAY_LEASES_PATH = '/api/v1/relay/leases'

/** Hours from an enrolment code's making to its end. */
export const ENROLMENT_CODE_HOURS = 24
/** Most leases, and most reports, of one request. */
export const RELAY_BATCH = 500

/** The public half of the relay's own key (RFC 8037). */
export interface RelayJwk {
  kty: 'OKP'
  crv: 'Ed25519'
  /** The raw 32 bytes in base64url. */
  x: string
}

export interface EnrolRequest {
  /** `lre_…`, used once. */
  code: string
  public_key: RelayJwk
  /** Replaces the name that the admin gave. */
  name?: string | undefined
  version: string
}

export interface EnrolAnswer {
  /** `rly_…`. */
  relay_id: string
  /** `lrk_…`, shown once. */
  relay_key: string
  /** The exact `iss` of everything that the server signs. */
  issuer: string
  /** Codes of the products that the customer has licenses of. */
  products: string[]
  /** The newest root-signed key set (T4) as a compact JWS. */
  key_set: string
}

export type RelayLicenseStatus = 'active' | 'in_grace' | 'expired' | 'suspended' | 'revoked'

/** A license as a relay is told of it. Unsigned: for its status page, never a right (T1). */
export interface RelayLicense {
  license_id: string
  product: string
  tier: string
  features: string[]
  /** −1 is unlimited. */
  limits: LimitValues
  status: RelayLicenseStatus
  /** `license_suspended`, `license_revoked`, `license_expired`; null while it is in force. */
  reason: string | null
  organization_name: string
  is_trial: boolean
  /** The server fingerprint that the license is bound to. */
  fingerprint: string | null
  issued_at: string
  /** Null is perpetual. */
  expires_at: string | null
  grace_days: number
  /** Null is unlimited. */
  seat_limit: number | null
  /** Seats that an admin lets this relay have; 0 for none. */
  share: number
  /** Of the newest allotment that is not past its end. */
  allotment: { seq: number; seats: number; expires_at: string } | null
}

export interface AllotmentRequest {
  /** `lic_…`. */
  license_id: string
  /** Seats wanted; less may be given. 0 gives the allotment back, as `release` does. */
  seats: number
  /**
   * The allotment that the relay goes by. Naming the newest acknowledges it: seats of larger ones before it are free
   * then. A server that was restored learns it again (T12).
   */
  current?: string | undefined
  release?: boolean | undefined
}

export interface AllotmentAnswer {
  /** Compact JWS, `leasehold-allotment+jwt`; null once it was given back. */
  allotment: string | null
  expires_at: string | null
  seats: number
}

/** One lease as the relay tells of it. The newest word about (license, instance) counts. */
export interface RelayLeaseReport {
  license_id: string
  instance_id: string
  /** Product code: instance ids are per product. */
  product: string
  issued_at: string
  expires_at: string
  /** The instance gave it back. */
  released?: boolean | undefined
}

export interface LeasesRequest {
  leases: RelayLeaseReport[]
  /** The relay's own chain (T5): shows two copies that run on one key. */
  refresh_token?: string | undefined
  refresh_id?: string | undefined
}

export interface LeasesAnswer {
  accepted: number
  rejected: { index: number; error: string }[]
  /** The successor in the chain. */
  refresh_token: string
}

/**
 * A report that a relay took while the server was away, or forwards in a batch. As a heartbeat it also brings what a
 * heartbeat does; its `metrics` may be the heartbeat's own, whole.
 */
export interface RelayReport extends Omit<TelemetryReport, 'metrics'> {
  /** Product code: instance ids are per product. */
  product: string
  kind?: 'heartbeat' | 'telemetry' | undefined
  metrics: HeartbeatMetrics
  reported_tier?: string | undefined
  has_valid_entitlement?: boolean | undefined
  feature_usage?: string[] | undefined
  server_version?: string | undefined
  /** `seq` of the directive that was carried out. */
  ack?: number | undefined
}
