// Which licenses name a machine that is not this one: they are listed, and nothing of them is served here (reference,
// section 3). The list is unsigned: it takes nothing from an instance, which keeps what was signed for it to its end.
import type { Logger } from '../platform/logger.ts'
import type { KnownLicenses } from './sync/licenses.ts'

export interface Binding {
  /** Whether any license is another machine's: where none is, nobody looks further. */
  isNeeded(): boolean
  isForeign(licenseId: string): boolean
}

/** Logs each license once, when it is first met. */
export function machineBinding(known: () => KnownLicenses, fingerprint: string, log: Logger): Binding {
  const told = new Map<string, string | null>()
  const bound = () =>
    known().licenses.filter((one) => one.fingerprint !== null && one.fingerprint !== fingerprint)
  return {
    isNeeded: () => bound().length > 0,
    isForeign(licenseId) {
      const found = bound().find(({ license_id }) => license_id === licenseId)
      if (found && told.get(licenseId) !== found.fingerprint) {
        told.set(licenseId, found.fingerprint)
        log.warn(
          { license: licenseId, product: found.product, bound_to: found.fingerprint, fingerprint },
          'the license is bound to another machine: it is not served',
        )
      }
      return found !== undefined
    },
  }
}
