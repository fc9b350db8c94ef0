// Who listens on the live channel, and which events are theirs. Pure.
import type { SyncEvent } from '../../contract/sync.ts'
import { publicId } from '../../platform/ids.ts'

/** An event row with what it takes to tell whose it is. */
export interface EventRow {
  number: number
  type: string
  subject: string
  /** Code. */
  product: string | null
  licenseId: string | null
  instanceKey: string | null
  /** Whose license it is, or whose licenses the instance holds. */
  customers: readonly string[]
}

/** What a license JWT names, so that it can be found ended (T8). */
export interface PeerSession {
  instanceKey: string
  licenseId: string
  seatId: string | null
  /** `key_…`, `lk_…`, `sjw_…`. */
  credential: string | null
  exp: Date
}

export interface InstancePeer {
  kind: 'instance'
  /** Null where a license JWT proves its license but not the instance (T9, open products). */
  instanceKey: string | null
  product: string
  /** Held now; those that it takes meanwhile are added when they change. */
  licenses: Set<string>
  /** Exactly one of the two proves it. */
  session: PeerSession | null
  tokenHash: string | null
}

export interface RelayPeer {
  kind: 'relay'
  relayId: string
  keyHash: string
  customerId: string
  /** Codes of the products that its customer has licenses of. */
  products: Set<string>
}

export type Peer = InstancePeer | RelayPeer

/** Whether the event lies in the peer's scope. */
export function concerns(event: EventRow, peer: Peer): boolean {
  if (event.type === 'keys.changed') {
    if (event.product === null) return false
    return peer.kind === 'relay' ? peer.products.has(event.product) : peer.product === event.product
  }
  // A relay's own share, which is nobody else's business.
  if (event.type === 'relay.changed') return peer.kind === 'relay' && mayEnd(event, peer)
  if (peer.kind === 'relay') return event.customers.includes(peer.customerId)
  if (event.type === 'license.changed') return event.licenseId !== null && peer.licenses.has(event.licenseId)
  return event.instanceKey !== null && event.instanceKey === peer.instanceKey
}

/** What is told of an event, or null for one that only the vendor's own side has to do with. */
export function hintOf({ number, type, product, licenseId, instanceKey }: EventRow): SyncEvent | null {
  const instance = instanceKey === null ? null : publicId('ins', instanceKey)
  switch (type) {
    case 'license.changed':
      if (licenseId === null) return null
      return { type, event: number, license_id: publicId('lic', licenseId) }
    case 'instance.changed':
      if (instance === null) return null
      return licenseId === null
        ? { type: 'action.changed', event: number, instance }
        : { type: 'license.changed', event: number, license_id: publicId('lic', licenseId), instance }
    case 'relay.changed':
      return licenseId === null
        ? null
        : { type: 'license.changed', event: number, license_id: publicId('lic', licenseId) }
    case 'action.changed':
      return instance === null ? null : { type, event: number, instance }
    case 'keys.changed':
      return product === null ? null : { type, event: number, product }
    default:
      return null
  }
}

/** Whether the event may have ended the peer's credential: then `findEnded` is asked. */
export function mayEnd(event: EventRow, peer: Peer): boolean {
  if (peer.kind === 'relay') return event.subject === publicId('rly', peer.relayId)
  if (event.instanceKey !== null) {
    return event.instanceKey === peer.instanceKey || event.instanceKey === peer.session?.instanceKey
  }
  return peer.session?.credential != null && event.subject === peer.session.credential
}
