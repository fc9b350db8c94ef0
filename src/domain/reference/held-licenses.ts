// The licenses in memory, each with the credentials of it that were asked for. Bounded; whatever leaves is read again
// when it is next asked for. Knows no version: what is in it must be true at the cache's.
import type { CredentialSource } from '../../contract/catalog.ts'
import { fromUnixSeconds } from '../../platform/time.ts'
import type { CredentialFacts, CredentialName, LicenseFacts } from '../kernel/reference.ts'
import type { ReferenceProduct } from './catalog.ts'
import type { CredentialRow, LicenseRow } from './statements.ts'

export interface HeldLicense {
  row: LicenseRow
  credentials: Map<string, CredentialFacts>
  hashes: Set<string>
  /** Asked for since the last look around for something to let go. */
  used: boolean
  composed: { facts: LicenseFacts; of: ReferenceProduct } | null
}

export const nameKey = ({ source, id }: CredentialName): string => `${source} ${id}`
export const hashKey = (source: CredentialSource, hash: string): string => `${source} #${hash}`

const dateOrNull = (ms: number | null): Date | null => (ms === null ? null : fromUnixSeconds(ms / 1000))

export class HeldLicenses {
  readonly #licenses = new Map<string, HeldLicense>()
  /** By name and by hash. */
  readonly #credentials = new Map<string, CredentialFacts>()
  readonly #ofCustomer = new Map<string, Set<string>>()
  readonly #most: number
  #size = 0

  /** `most`: licenses and credentials together. */
  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#size
  }

  license(id: string): HeldLicense | undefined {
    const found = this.#licenses.get(id)
    if (found) found.used = true
    return found
  }

  /** By `nameKey` or `hashKey`. Undefined also where its license has left. */
  credential(key: string): CredentialFacts | undefined {
    return this.#credentials.get(key)
  }

  put(licenses: readonly LicenseRow[], credentials: readonly CredentialRow[]): void {
    for (const row of licenses) {
      if (this.#licenses.has(row.id)) continue
      this.#licenses.set(row.id, {
        row,
        credentials: new Map(),
        hashes: new Set(),
        used: true,
        composed: null,
      })
      this.#size += 1
      const others = this.#ofCustomer.get(row.customerId)
      if (others) others.add(row.id)
      else this.#ofCustomer.set(row.customerId, new Set([row.id]))
    }
    for (const row of credentials) this.#putCredential(row)
    this.#letGo()
  }

  #putCredential({ hash, source, id, licenseId, ...rest }: CredentialRow): void {
    const license = this.#licenses.get(licenseId)
    if (!license) return
    const name = nameKey({ source, id })
    if (license.credentials.has(name)) return
    const facts: CredentialFacts = {
      source,
      id,
      licenseId,
      expiresAt: dateOrNull(rest.expiresAt),
      revokedAt: dateOrNull(rest.revokedAt),
      retiredAt: dateOrNull(rest.retiredAt),
      endSessions: rest.endSessions || source === 'static_jwt',
      refreshable: rest.refreshable,
    }
    license.credentials.set(name, facts)
    this.#credentials.set(name, facts)
    if (hash !== null) {
      license.hashes.add(hashKey(source, hash))
      this.#credentials.set(hashKey(source, hash), facts)
    }
    this.#size += 1
  }

  remove(licenseId: string): void {
    const license = this.#licenses.get(licenseId)
    if (!license) return
    this.#licenses.delete(licenseId)
    for (const key of license.credentials.keys()) this.#credentials.delete(key)
    for (const key of license.hashes) this.#credentials.delete(key)
    this.#size -= 1 + license.credentials.size
    const others = this.#ofCustomer.get(license.row.customerId)
    others?.delete(licenseId)
    if (others?.size === 0) this.#ofCustomer.delete(license.row.customerId)
  }

  removeCustomer(customerId: string): void {
    for (const id of [...(this.#ofCustomer.get(customerId) ?? [])]) this.remove(id)
  }

  clear(): void {
    this.#licenses.clear()
    this.#credentials.clear()
    this.#ofCustomer.clear()
    this.#size = 0
  }

  /** Those that were not asked for since the last time go first, oldest first; the others get a second chance. */
  #letGo(): void {
    for (const [id, license] of this.#licenses) {
      if (this.#size <= this.#most) return
      if (license.used) {
        license.used = false
        this.#licenses.delete(id)
        this.#licenses.set(id, license)
      } else this.remove(id)
    }
  }
}
