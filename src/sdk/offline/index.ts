// `@leasehold/enforce/offline`: licenses that are installed while the product runs. Reaches no Node module and no database client.
export { LICENSE_PATH, type LicenseRoutesOptions } from './answer.ts'
export { type LicenseMetricsOptions, licenseMetrics } from './metrics.ts'
export { LICENSE_TABLE, postgresStore } from './postgres-store.ts'
export {
  type InstallResult,
  type LicenseService,
  type LicenseServiceOptions,
  openLicenseService,
} from './service.ts'
export type { LicenseBody, ShownEnvelope, UsageBody, UsageRow } from './shown.ts'
export { type InstalledLicense, type LicenseStore, memoryStore } from './store.ts'
