// `@leasehold/enforce`: limits that refuse, on one process or many. Reaches no Node module and no database client.
export { type Caps, cameleerLimits, defineLimits } from '../../license/default-limits.ts'
export type { EffectiveLimit, EffectiveLimits, LimitSource } from '../../license/effective-limits.ts'
export type { CapReachedBody } from '../../license/messages.ts'
export type { InstallSource, LicenseAudit, LicenseAuditEvent } from './audit.ts'
export { clickhouseTtl, type ScopeDays, type TtlTable } from './clickhouse.ts'
export { CapExceededError, capRefusal, type SettingOverCapBody, SettingOverCapError } from './errors.ts'
export {
  type CapRequest,
  type CapVerdict,
  type EnforcedLicense,
  type Enforcement,
  type EnforceOptions,
  enforceLimits,
  type Usage,
} from './limits.ts'
export { type CapLock, memoryLock } from './lock.ts'
export type { PostgresClient, Query } from './postgres.ts'
export { type PostgresLockOptions, postgresLock } from './postgres-lock.ts'
export {
  type RetentionOptions,
  type RetentionPolicy,
  type RetentionScope,
  retentionPolicy,
} from './retention.ts'
