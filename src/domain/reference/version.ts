// One version of the reference data: what was true when its newest event was, and how a version follows another.
import { fromUnixSeconds } from '../../platform/time.ts'
import type { LicenseFacts } from '../kernel/reference.ts'
import type { Catalog } from './catalog.ts'
import type { HeldLicense } from './held-licenses.ts'
import type { PastEvent, Point, Sighting } from './past-events.ts'

/** Events that a version remembers, so that a batch that lags behind it is known to do so. */
const MOST_REMEMBERED = 512

export interface Version extends Point {
  catalog: Catalog
  /** The newest events that were read on the way here; the version's own is the last. */
  recent: readonly PastEvent[]
}

/** A version of nothing but what one statement has read. */
export const firstVersion = ({ at }: Sighting, catalog: Catalog): Version => ({
  ...at,
  catalog,
  recent: [{ ...at, type: '', productId: null, licenseId: null, customerId: null }],
})

export const nextVersion = (
  version: Version,
  at: Point,
  events: readonly PastEvent[],
  catalog: Catalog = version.catalog,
): Version => ({ ...at, catalog, recent: [...version.recent, ...events].slice(-MOST_REMEMBERED) })

/** The license with its product and tier as they are at this version. */
export function composed(license: HeldLicense, catalog: Catalog): LicenseFacts {
  const { row } = license
  const product = catalog.byId.get(row.productId)
  if (product && license.composed?.of === product) return license.composed.facts
  const tier = product?.tierById.get(row.tierId)
  const lowestTier = product?.facts.lowestTier
  if (!product || !tier || !lowestTier)
    throw new Error(`license ${row.id} is of a product or tier that is missing`)
  const { issuedAt, expiresAt, tierId: _, ...own } = row
  const facts: LicenseFacts = {
    ...own,
    issuedAt: fromUnixSeconds(issuedAt / 1000),
    expiresAt: expiresAt === null ? null : fromUnixSeconds(expiresAt / 1000),
    productCode: product.facts.code,
    instanceAuth: product.facts.instanceAuth,
    limitsClaim: product.facts.limitsClaim,
    graceDays: row.graceDays ?? tier.graceDays,
    seatLimit: row.seatLimit ?? tier.seatLimit,
    tier,
    lowestTier,
  }
  license.composed = { facts, of: product }
  return facts
}
