// What is told of a license for the record: five actions, as in the reference (section 4). Keeps nothing.
import type { LicenseState } from '../../license/states.ts'
import { within, wordsOf } from '../guard.ts'
import type { Host } from '../host/port.ts'

/** Where a license came from. */
export type InstallSource = 'env' | 'file' | 'db' | 'api'

/** A type, and no interface: so it fits where JSON is asked for. */
type Installed = {
  licenseId: string
  /** RFC 3339. */
  expiresAt: string
  installedBy: string
  source: InstallSource
}

export type LicenseAuditEvent = {
  category: 'LICENSE'
  /** Who did it; `system` where nobody did. */
  actor: string
  /** RFC 3339. */
  at: string
} & (
  | { action: 'install_license'; details: Installed }
  | { action: 'replace_license'; details: Installed & { previousLicenseId: string } }
  | { action: 'reject_license'; details: { reason: string; source: InstallSource } }
  | { action: 'revalidate_license'; details: { licenseId: string; reason: string } }
  | { action: 'cap_exceeded'; details: { limit: string; current: number; cap: number; state: LicenseState } }
)

/** Writes an event down. What it throws is logged. */
export type LicenseAudit = (event: LicenseAuditEvent) => unknown

type Entry = LicenseAuditEvent extends infer E
  ? E extends unknown
    ? Omit<E, 'category' | 'at'>
    : never
  : never
/** @internal */
export type Auditor = (entry: Entry) => Promise<void>

/** How long anything waits for the record, milliseconds. */
const WRITE_WITHIN = 5_000

/** Without a port of the vendor's own, events go to the log. Resolves when it is written, or was not. @internal */
export function auditTo(
  audit: LicenseAudit | undefined,
  { log, timers }: Pick<Host, 'log' | 'timers'>,
  now: () => string,
): Auditor {
  const write: LicenseAudit =
    audit ??
    (({ action, actor, details }) => log.warn(`Audit: ${action} by ${actor} ${JSON.stringify(details)}`))
  async function attempt(event: LicenseAuditEvent): Promise<void> {
    try {
      await write(event)
    } catch (error) {
      log.error(`License audit failed: ${wordsOf(error)}`)
    }
  }
  return (entry) =>
    within(attempt({ category: 'LICENSE', at: now(), ...entry } as LicenseAuditEvent), WRITE_WITHIN, timers)
}
