// The exact cache of reference data: one version in memory, proven by the newest event and moved on as events tell.
// Holds no connection and shares no read between callers, so that it may live in a Worker's isolate.
import type { Clock } from '../../platform/clock.ts'
import type {
  Read,
  ReferenceCache,
  ReferenceFacts,
  ReferenceNeeds,
  ReferenceProof,
} from '../kernel/reference.ts'
import { type Catalog, catalogOf, keySetOf, productOf, withProducts } from './catalog.ts'
import { factsOf, pinned } from './facts.ts'
import { HeldLicenses } from './held-licenses.ts'
import { keyOpener } from './keys.ts'
import {
  BEGINNING,
  type Concern,
  concernOf,
  type PastEvent,
  relationOf,
  type Sighting,
} from './past-events.ts'
import {
  type CatalogWish,
  type CredentialRow,
  catalogOf as catalogStatement,
  type KeySetRow,
  type LicenseRow,
  type ProductRow,
  proofOf,
  rowsOf,
  seenBy,
} from './statements.ts'
import { firstVersion, nextVersion, type Version } from './version.ts'
import { keysOf, missingOf, wantedOf } from './wanted.ts'

const MOST_ROWS = 200_000
/** Reads of one call that others overtook. Each was overtaken by a change of reference data. */
const MOST_ATTEMPTS = 100

export interface ReferenceOptions {
  /** Opens the private signing keys. */
  masterKey: Uint8Array
  clock: Clock
  /** Licenses and credentials in memory at most. */
  mostRows?: number
  /** Called before a key is handed out for signing; throws while this process may not sign (T7). */
  mayBeSigned?: () => void
}

/** What a read of products and keys brought, ready to be taken in. */
interface CatalogAnswer {
  wish: CatalogWish
  products: ReturnType<typeof productOf>[]
  keySet: Catalog['keySet']
}

/** @throws StartError from `settle` and `load`, where a stored key does not open under the master key. */
export function referenceCache(options: ReferenceOptions): ReferenceCache {
  const { masterKey, clock, mostRows = MOST_ROWS, mayBeSigned = () => {} } = options
  const openKey = keyOpener(masterKey)
  const held = new HeldLicenses(mostRows)
  let version: Version | null = null

  const current = (): Version => {
    if (version === null) throw new Error('reference data was used before it was loaded')
    return version
  }

  const drop = () => {
    version = null
    held.clear()
  }

  const moveOn = (next: Version, concern: Concern) => {
    version = next
    for (const id of concern.licenses) held.remove(id)
    for (const id of concern.customers) held.removeCustomer(id)
  }

  /**
   * Takes in what a statement saw, in one synchronous step. True when the version is then at what it saw, or past it;
   * false when more must be read first.
   */
  const accept = (seen: Sighting, read: CatalogAnswer | null): boolean => {
    if (version === null) {
      if (read?.wish.products !== 'all') return false
      version = firstVersion(seen, catalogOf(read.products, read.keySet, mayBeSigned))
      return true
    }
    const relation = relationOf(version, seen)
    if (relation.kind === 'same' || relation.kind === 'ahead') return true
    if (relation.kind === 'apart') return false
    const { events } = relation
    const concern = events && concernOf(events)
    if (events === null || concern === null || concern.everything) {
      drop()
      return accept(seen, read)
    }
    if (!concern.keySet) {
      moveOn(nextVersion(version, seen.at, events), concern)
      return true
    }
    const wish = read?.wish
    if (!read || !wish?.keySet || (wish.products !== 'all' && !covers(wish.products, concern))) return false
    const catalog =
      wish.products === 'all'
        ? catalogOf(read.products, read.keySet, mayBeSigned)
        : withProducts(version.catalog, wish.products, read.products, read.keySet, mayBeSigned)
    moveOn(nextVersion(version, seen.at, events, catalog), concern)
    return true
  }

  /** Reads products and keys until the version is at what was read, or past it. `since`: events that are known to be new. */
  const refresh = async (read: Read, since: readonly PastEvent[] | null): Promise<void> => {
    let news = since
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const concern = version === null || news === null ? null : concernOf(news)
      const wish: CatalogWish =
        concern === null || concern.everything || concern.allProducts
          ? { products: 'all', keySet: true }
          : { products: concern.products, keySet: true }
      const asked = version ?? BEGINNING
      const { text, params } = catalogStatement(asked, wish)
      const [row] = await read(text, params)
      const { products, keySet, ...seen } = seenBy<{ products: ProductRow[]; keySet: KeySetRow | null }>(
        asked,
        row,
      )
      const opened = await Promise.all(
        products.map(async (product) =>
          productOf(product, await Promise.all(product.keys.map((key) => openKey(product.code, key)))),
        ),
      )
      if (accept(seen, { wish, products: opened, keySet: keySetOf(keySet) })) return
      news = seen.since
    }
    throw overtaken()
  }

  const load = async (read: Read, needs: ReferenceNeeds): Promise<ReferenceFacts> => {
    const wanted = wantedOf(needs)
    let absent = new Set<string>()
    let absentAt: Version | null = null
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      if (version === null) await refresh(read, null)
      const begun = version as Version | null
      if (begun === null) continue
      if (begun !== absentAt) absent = new Set()
      const missing = missingOf(wanted, held, absent)
      if (missing === null) return factsOf(() => begun, pinned(wanted, held), clock)
      const { text, params } = rowsOf(begun, missing)
      const [row] = await read(text, params)
      const { licenses, credentials, ...seen } = seenBy<{
        licenses: LicenseRow[]
        credentials: CredentialRow[]
      }>(begun, row)
      if (!accept(seen, null)) {
        await refresh(read, seen.since)
        continue
      }
      const relation = relationOf(current(), seen)
      if (relation.events === null) continue
      const later = concernOf(relation.events)
      const exact = licenses.filter(
        ({ id, customerId }) => !later.licenses.has(id) && !later.customers.has(customerId),
      )
      const ids = new Set(exact.map(({ id }) => id))
      held.put(
        exact,
        credentials.filter(({ licenseId }) => ids.has(licenseId)),
      )
      // What is still missing was not found: it is not on record at this version.
      absentAt = later.licenses.size + later.customers.size === 0 ? current() : null
      absent = new Set([...absent, ...keysOf(missing)])
    }
    throw overtaken()
  }

  const settle = async (
    read: Read,
    asked: ReferenceProof,
    row: Record<string, unknown> | undefined,
  ): Promise<void> => {
    const [number = '0', mark = BEGINNING.mark] = asked.params
    const seen = seenBy({ number: Number(number), mark }, row)
    if (!accept(seen, null)) await refresh(read, seen.since)
  }

  return Object.assign(factsOf(current, held, clock), {
    proof: (): ReferenceProof => proofOf(version ?? BEGINNING),
    settle,
    load,
  })
}

const covers = (asked: ReadonlySet<string>, { allProducts, products }: Concern): boolean =>
  !allProducts && [...products].every((id) => asked.has(id))

const overtaken = () => new Error('reference data changed each time it was read')
