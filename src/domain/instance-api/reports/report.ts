// A report as the domain sees it, whatever route it came by.
import type { Proof, ReportKind } from '../../../contract/catalog.ts'
import type { ControlFields, ReportFields } from '../../../contract/instance-api.ts'

export interface Report {
  kind: ReportKind
  /** How this report was proven (T11). */
  proof: Proof
  /** Product code. */
  product: string
  instanceId: string
  /** Finite numbers by metric name. */
  metrics: Record<string, number>
  version?: string | undefined
  reportedTier?: string | undefined
  hasValidEntitlement?: boolean | undefined
  featureUsage?: readonly string[] | undefined
  /** Hex SHA-256 of the entitlement token in use; empty for none. */
  entitlementHash?: string | undefined
  integrityHash?: string | undefined
  ack?: ReportFields['ack']
  bootId?: ReportFields['boot_id']
  seq?: ReportFields['seq']
  observedAt?: ReportFields['observed_at']
  /** The refresh chain, of a proven request that advances it (T5). */
  chain?: Pick<ControlFields, 'refresh_token' | 'refresh_id'> | undefined
}

/** Boot id of clients that send none. */
export const NO_BOOT = '00000000-0000-0000-0000-000000000000'
/** The same where nothing proves who sends: a stranger's counters are not mixed with the instance's. */
export const NO_BOOT_UNPROVEN = '00000000-0000-0000-0000-000000000001'

/** The boot whose stream an unnumbered report belongs to. */
export const bootOf = (report: Report): string => (report.proof === 'none' ? NO_BOOT_UNPROVEN : NO_BOOT)

/** Numbers a report, so that it counts once; null where it carries no number and therefore always counts. */
export function streamPosition(report: Report): { bootId: string; seq: number } | null {
  if (report.bootId === undefined || report.seq === undefined) return null
  return { bootId: report.bootId.toLowerCase(), seq: report.seq }
}
