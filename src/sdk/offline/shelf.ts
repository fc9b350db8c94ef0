// The store as the service uses it: what goes wrong there is logged, and the product goes on from memory.
import { within, wordsOf } from '../guard.ts'
import type { Host } from '../host/port.ts'
import type { InstalledLicense, LicenseStore } from './store.ts'
import type { Genuine } from './verify.ts'

export interface Shelf {
  /** Null where there is none, or none to be had. Waits for 10 s at most, as all of these. */
  read(): Promise<InstalledLicense | null>
  /** Whether it is kept now. */
  keep(row: InstalledLicense): Promise<boolean>
  /** The row as found good just now, whether or not the store has heard of it. */
  touch(row: InstalledLicense): Promise<InstalledLicense>
  rowOf(genuine: Genuine, by: string): InstalledLicense
}

/** How long anything waits for the store, milliseconds. */
const STORE_WITHIN = 10_000

/** `time`: now, in RFC 3339. */
export function openShelf(
  store: LicenseStore,
  tenantId: string,
  { log, timers }: Pick<Host, 'log' | 'timers'>,
  time: () => string,
): Shelf {
  /** A store that hangs has failed, whatever becomes of it later. */
  async function isDone(what: string, work: Promise<void>): Promise<boolean> {
    let fault: string | null = `no answer within ${STORE_WITHIN / 1000} s`
    const told = work.then(
      () => {
        fault = null
      },
      (error: unknown) => {
        fault = wordsOf(error)
      },
    )
    await within(told, STORE_WITHIN, timers)
    if (fault !== null) log.warn(`The license could not be ${what}: ${fault}`)
    return fault === null
  }

  return {
    async read() {
      let row: InstalledLicense | null = null
      const isRead = await isDone(
        'read from its store',
        (async () => {
          row = await store.read(tenantId)
        })(),
      )
      return isRead ? row : null
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
