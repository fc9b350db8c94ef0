// The store as the service uses it: what goes wrong there is logged, and the product goes on from memory.
import { wordsOf } from '../guard.ts'
import type { HostLog } from '../host/port.ts'
import type { InstalledLicense, LicenseStore } from './store.ts'
import type { Genuine } from './verify.ts'

export interface Shelf {
  /** Null where there is none, or none to be had. */
  read(): Promise<InstalledLicense | null>
  /** Whether it is kept now. */
  keep(row: InstalledLicense): Promise<boolean>
  /** The row as found good just now, whether or not the store has heard of it. */
  touch(row: InstalledLicense): Promise<InstalledLicense>
  rowOf(genuine: Genuine, by: string): InstalledLicense
}

/** `time`: now, in RFC 3339. */
export function openShelf(store: LicenseStore, tenantId: string, log: HostLog, time: () => string): Shelf {
  async function isDone(what: string, work: Promise<void>): Promise<boolean> {
    try {
      await work
      return true
    } catch (error) {
      log.warn(`The license could not be ${what}: ${wordsOf(error)}`)
      return false
    }
  }

  return {
    async read() {
      let row: InstalledLicense | null = null
      await isDone(
        'read from its store',
        (async () => {
          row = await store.read(tenantId)
        })(),
      )
      return row
    },
    keep: (row) => isDone('stored', (async () => store.write(row))()),
    async touch(row) {
      const at = time()
      await isDone('marked as validated', (async () => store.touch(tenantId, at))())
      return { ...row, lastValidatedAt: at }
    },
    rowOf({ token, claims }, by) {
      const at = time()
      const expiresAt = new Date(claims.exp * 1000).toISOString()
      const { licenseId } = claims
      return { tenantId, token, licenseId, installedAt: at, installedBy: by, expiresAt, lastValidatedAt: at }
    },
  }
}
