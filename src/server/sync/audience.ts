// The sockets that are listening, found by what an event names: one look-up an event, whatever their number.
import type { EventRow } from '../../domain/sync/peer.ts'
import type { Connection } from './connection.ts'

type Index = Map<string, Set<Connection>>

export interface Audience {
  readonly all: ReadonlySet<Connection>
  add(connection: Connection): void
  remove(connection: Connection): void
  /** Whoever the event could concern; `concerns` has the last word. */
  near(event: EventRow): Set<Connection>
  /** Adds licenses that instances hold now. */
  learn(holders: readonly { instanceKey: string; licenseId: string }[]): void
  /** Adds a product to the relays of these customers. */
  learnProduct(customers: readonly string[], product: string): void
  /** Whether an instance is listening that might hold more licenses than are known. */
  hasInstances(): boolean
}

export function audience(): Audience {
  const all = new Set<Connection>()
  const byInstance: Index = new Map()
  const byLicense: Index = new Map()
  const byProduct: Index = new Map()
  const byCustomer: Index = new Map()
  const byRelay: Index = new Map()

  const places = (connection: Connection): [Index, string][] => {
    const { peer } = connection
    if (peer === null) return []
    if (peer.kind === 'relay') {
      return [
        [byCustomer, peer.customerId],
        [byRelay, peer.relayId],
        ...[...peer.products].map((code): [Index, string] => [byProduct, code]),
      ]
    }
    const key = peer.instanceKey ?? peer.session?.instanceKey
    return [
      [byProduct, peer.product],
      ...(key === undefined ? [] : [[byInstance, key] as [Index, string]]),
      ...[...peer.licenses].map((id): [Index, string] => [byLicense, id]),
    ]
  }
  return {
    all,
    add(connection) {
      all.add(connection)
      for (const [index, key] of places(connection)) put(index, key, connection)
    },
    remove(connection) {
      all.delete(connection)
      for (const [index, key] of places(connection)) drop(index, key, connection)
    },
    near(event) {
      if (event.type === 'keys.changed') return new Set(byProduct.get(event.product ?? ''))
      const found = new Set(byInstance.get(event.instanceKey ?? ''))
      for (const customer of event.customers) join(found, byCustomer.get(customer))
      if (event.instanceKey === null) join(found, byLicense.get(event.licenseId ?? ''))
      if (event.type === 'relay.changed') join(found, byRelay.get(uuidIn(event.subject)))
      return found
    },
    learn(holders) {
      for (const { instanceKey, licenseId } of holders) {
        for (const connection of byInstance.get(instanceKey) ?? []) {
          const { peer } = connection
          if (peer?.kind !== 'instance' || peer.instanceKey !== instanceKey) continue
          peer.licenses.add(licenseId)
          put(byLicense, licenseId, connection)
        }
      }
    },
    learnProduct(customers, product) {
      for (const customer of customers) {
        for (const connection of byCustomer.get(customer) ?? []) {
          if (connection.peer?.kind !== 'relay') continue
          connection.peer.products.add(product)
          put(byProduct, product, connection)
        }
      }
    },
    hasInstances: () => byInstance.size > 0,
  }
}

function put(index: Index, key: string, connection: Connection): void {
  const found = index.get(key)
  if (found) found.add(connection)
  else index.set(key, new Set([connection]))
}

function drop(index: Index, key: string, connection: Connection): void {
  const found = index.get(key)
  found?.delete(connection)
  if (found?.size === 0) index.delete(key)
}

function join(into: Set<Connection>, more: ReadonlySet<Connection> | undefined): void {
  for (const connection of more ?? []) into.add(connection)
}

/** `rly_` and 32 digits, as the UUID that relays are kept under. */
const uuidIn = (subject: string): string =>
  subject.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
