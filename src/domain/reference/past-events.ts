// Which reference data an event concerns, and how two points of the events' history lie to each other. Pure.

export interface PastEvent {
  number: number
  /** Random: tells the event from another of this number in a history that was restored. */
  mark: string
  type: string
  productId: string | null
  licenseId: string | null
  customerId: string | null
}

/** A point of the history: everything up to and with the event of this number. */
export type Point = Pick<PastEvent, 'number' | 'mark'>

/** Before the first event. */
export const BEGINNING: Point = { number: 0, mark: '00000000-0000-0000-0000-000000000000' }

export const isSame = (a: Point, b: Point): boolean => a.number === b.number && a.mark === b.mark

/** What has to be read again, or to leave the memory. */
export interface Concern {
  /** An event that this version does not know: anything may have changed. */
  everything: boolean
  allProducts: boolean
  /** With their tiers and keys. */
  products: ReadonlySet<string>
  keySet: boolean
  /** With their credentials. */
  licenses: ReadonlySet<string>
  customers: ReadonlySet<string>
}

/** Events of these types name nothing that the cache holds; one of an instance does where it names a license. */
export const OF_NOTHING_HELD = [
  'action.changed',
  'admin.changed',
  'license.expiring',
  'license.expired',
  'license.grace_ended',
] as const

export function concernOf(events: readonly PastEvent[]): Concern {
  const products = new Set<string>()
  const licenses = new Set<string>()
  const customers = new Set<string>()
  const found = { everything: false, allProducts: false, keySet: false }
  for (const { type, productId, licenseId, customerId } of events) {
    if (customerId !== null) customers.add(customerId)
    switch (type) {
      case 'keys.changed':
      case 'catalog.changed':
        found.keySet = true
        if (productId === null) found.allProducts = true
        else products.add(productId)
        break
      case 'license.changed':
      case 'instance.changed':
      case 'relay.changed':
        if (licenseId !== null) licenses.add(licenseId)
        else if (type === 'license.changed') found.everything = true
        break
      case 'customer.changed':
        if (customerId === null) found.everything = true
        break
      default:
        if (!OF_NOTHING_HELD.some((known) => known === type)) found.everything = true
    }
  }
  return { ...found, products, licenses, customers }
}

/** What one statement saw of the events: where the history was, and what came after the point that it was asked about. */
export interface Sighting {
  at: Point
  asked: Point
  /** Whether the point that it was asked about is part of this history. */
  held: boolean
  /** After `asked`, in order; null where they are too many to be told. */
  since: readonly PastEvent[] | null
}

/** How a sighting lies to a version, and the events between the two. */
export type Relation =
  | { kind: 'same' | 'ahead' | 'behind'; events: readonly PastEvent[] }
  | { kind: 'apart' | 'other_history'; events: null }

/**
 * `ahead`: the version has gone past the sighting, along the same history. `behind`: the sighting knows all that the
 * version lacks. `apart`: it cannot be told, so it must be asked again. `other_history`: the database was restored, or
 * retention has removed the event that proved the version.
 */
export function relationOf(version: Point & { recent: readonly PastEvent[] }, seen: Sighting): Relation {
  if (isSame(version, seen.at)) return { kind: 'same', events: [] }
  // A history that lacks what was asked about is another one, also where its newest event was passed on the way here.
  if (!seen.held) {
    return { kind: isSame(version, seen.asked) ? 'other_history' : 'apart', events: null }
  }
  const passed = version.recent.findLastIndex((event) => isSame(event, seen.at))
  if (passed !== -1) return { kind: 'ahead', events: version.recent.slice(passed + 1) }
  if (isSame(version, seen.asked)) {
    if (seen.since === null) return { kind: 'other_history', events: null }
    return { kind: 'behind', events: seen.since }
  }
  const met = seen.since?.findIndex((event) => isSame(event, version)) ?? -1
  return met === -1
    ? { kind: 'apart', events: null }
    : { kind: 'behind', events: (seen.since ?? []).slice(met + 1) }
}
