// Messages of the instance API, as they go over the wire (plain types). Sources: reference sections 1, 2 and 5.
import type { Action } from './claims.ts'

/** Leasehold's own optional request members. */
export interface ControlFields {
  /** 16 to 64 characters of base64url; asks for a directive. */
  nonce?: string | undefined
  refresh_token?: string | undefined
  refresh_id?: string | undefined
}

export interface ReportFields {
  /** `seq` of the directive that was carried out. */
  ack?: number | undefined
  /** UUID of this process start. */
  boot_id?: string | undefined
  /** Counter from 0 within the boot. */
  seq?: number | undefined
  /** RFC 3339. */
  observed_at?: string | undefined
}

export interface ExchangeRequest extends ControlFields {
  instance_id: string
  version: string
  fingerprint?: string | undefined
  /** Proves an instance that is bound to another license (T9): one Bearer header cannot carry both. */
  instance_token?: string | undefined
}

export interface RefreshRequest extends ControlFields, ReportFields {
  license_id?: string | undefined
  instance_id: string
  version: string
  /** Hours since this process started. */
  uptime_hours?: number | undefined
  /** Numbers by name; whatever else is there is left out. */
  telemetry?: Record<string, unknown> | undefined
  /** The second proof of T8 beside an expired JWT. */
  instance_token?: string | undefined
}

/** Answer to exchange and refresh. */
export interface TokenAnswer {
  jwt: string
  /** Seconds. */
  expires_in: number
  message: string | null
  action: Action
  refresh_token?: string
  instance_token?: string
  directive?: string
  config?: InstanceConfig
}

export interface InstanceConfig {
  feature_refresh_token?: string
  /** Seconds. */
  heartbeat_interval: number
  /** Seconds. */
  refresh_interval: number
  /** URL of the live channel (contract/sync.ts); absent where it is not offered. */
  sync?: string
}

export interface RegisterRequest extends ControlFields {
  instance_id: string
  product: string
  hostname?: string | undefined
  server_version?: string | undefined
  tier?: string | undefined
  os?: string | undefined
  arch?: string | undefined
  fingerprint?: string | undefined
  metrics?: HeartbeatMetrics | undefined
}

export interface RegisterAnswer {
  status: 'registered'
  instance_token?: string
  directive?: string
}

export interface HeartbeatMetrics {
  feature_usage?: string[] | null | undefined
  entitlement_token_hash?: string | undefined
  server_version?: string | undefined
  integrity_hash?: string | undefined
  /** Any other metric: a finite number under a name of `[a-z][a-z0-9_]{0,63}`. */
  [metric: string]: unknown
}

export interface HeartbeatRequest extends ControlFields, ReportFields {
  instance_id: string
  product: string
  reported_tier: string
  has_valid_entitlement: boolean
  metrics: HeartbeatMetrics
}

export interface HeartbeatAnswer {
  status: 'ok'
  action: Action
  config: InstanceConfig & { feature_refresh_token: string }
  entitlement_token?: string
  directive?: string
}

export interface LicenseKeyRequest extends ControlFields {
  license_key: string
  instance_id: string
  product: string
}

export interface ActivateRequest extends LicenseKeyRequest {
  hostname?: string | undefined
  server_version?: string | undefined
  fingerprint?: string | undefined
}

/** Answer to activate (`active` or a denial) and validate (`valid` or a denial): always HTTP 200. */
export interface SeatAnswer {
  status: 'active' | 'valid' | 'revoked' | 'expired' | 'limit_reached'
  reason?: string
  message?: string
  fix?: string
  tier: string
  customer_id: string
  customer_name: string
  company: string
  expires_at: string
  issued_at: string
  limits: Record<string, number>
  is_trial: boolean
  entitlement_token?: string
  jwt?: string
  expires_in?: number
  refresh_token?: string
  instance_token?: string
  directive?: string
  /** Never with a denial. */
  config?: InstanceConfig
  /** With `limit_reached`. */
  limit?: number
  current?: number
  /** With `expired`, RFC 3339. */
  expired_at?: string
  grace_days?: number
}

export interface DeactivateAnswer {
  status: 'deactivated'
  reason?: string
  directive?: string
}

export interface TelemetryReport {
  instance_id: string
  boot_id: string
  seq: number
  observed_at: string
  metrics: Record<string, number>
}

export interface TelemetryAnswer {
  accepted: number
  duplicates: number
  rejected: { index: number; error: string }[]
}
