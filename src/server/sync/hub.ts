// Gives each event to the sockets it concerns, in order and once, and tells those that come back what they missed.
import { SYNC_PING_SECONDS, type SyncEvent } from '../../contract/sync.ts'
import type { Ctx } from '../../domain/kernel/context.ts'
import { findEnded } from '../../domain/sync/find-ended.ts'
import { concerns, type EventRow, hintOf, mayEnd, type Peer } from '../../domain/sync/peer.ts'
import { holdersOf, isOnRecord, readEvents } from '../../domain/sync/read-events.ts'
import { closeSocket, send, textOf } from '../../platform/live-socket.ts'
import { type Audience, audience } from './audience.ts'
import { type Connection, tell } from './connection.ts'

/** Events kept in memory, so that sockets that come back after a restart cost no query. */
export const RECENT_EVENTS = 2_000
/** Most events that are looked through for one socket that comes back; beyond, it is told to resync. */
const MOST_MISSED = 5_000

export interface Hub {
  readonly audience: Audience
  /** The number of the last event that was given out. */
  position(): number
  /** What was given out before is passed over, so that events of a delivery that failed can be given again. */
  deliver(events: readonly EventRow[]): Promise<void>
  restored(newest: number): void
  /** Takes an authenticated socket in. `since` is the position before its credential was looked at. */
  join(connection: Connection, lastEvent: number | undefined, since: number): Promise<void>
  leave(connection: Connection): void
  /** Closes those whose credential no longer holds. */
  closeEnded(connections: readonly Connection[]): Promise<void>
}

export interface HubOptions {
  ctx: Ctx
  /** The newest events, and the number they come after. */
  recent: readonly EventRow[]
  after: number
}

export function openHub({ ctx, recent: first, after }: HubOptions): Hub {
  const listeners = audience()
  const { monotonic } = ctx.clock
  let recent: EventRow[] = [...first]
  /** Everything after this number is in `recent`. */
  let recentAfter = after
  let position = first.at(-1)?.number ?? after
  /** Those whose credential an event may have ended, until the database has said so. */
  const doubted = new Set<Connection>()

  const remember = (events: readonly EventRow[]) => {
    recent.push(...events)
    const surplus = recent.length - RECENT_EVENTS
    if (surplus <= 0) return
    const [last] = recent.splice(0, surplus).slice(-1)
    if (last) recentAfter = last.number
  }

  const deliver = async (given: readonly EventRow[]): Promise<void> => {
    const events = given.filter(({ number }) => number > position)
    const changed = [...new Set(events.flatMap(({ type, licenseId }) => licenseOf(type, licenseId)))]
    if (changed.length > 0 && listeners.hasInstances()) {
      listeners.learn(await holdersOf(ctx.db, changed, ctx.clock.now()))
    }
    const now = monotonic()
    remember(events)
    for (const event of events) {
      position = event.number
      if (event.type === 'license.changed' && event.product !== null) {
        listeners.learnProduct(event.customers, event.product)
      }
      const hint = hintOf(event)
      const text = hint === null ? null : textOf(hint)
      for (const connection of listeners.near(event)) {
        const { peer } = connection
        if (peer === null || connection.position >= event.number) continue
        if (mayEnd(event, peer)) doubted.add(connection)
        if (text === null || !concerns(event, peer)) continue
        connection.position = event.number
        tell(connection, text, now)
      }
    }
    if (doubted.size === 0) return
    const asked = [...doubted]
    await closeEnded(asked)
    for (const connection of asked) doubted.delete(connection)
  }

  const closeEnded = async (connections: readonly Connection[]): Promise<void> => {
    const peers = connections.flatMap(({ peer }) => peer ?? [])
    const ended = await findEnded(ctx, peers)
    for (const connection of connections) {
      if (connection.peer !== null && ended.has(connection.peer)) {
        closeSocket(connection, 'ended', monotonic())
      }
    }
  }

  /** What came after `from` up to `to` for this peer; null when it cannot be told. */
  const missed = async (from: number, to: number, peer: Peer): Promise<SyncEvent[] | null> => {
    if (from > to) return null
    const inMemory = from >= recentAfter
    const known = from === recentAfter || recent.some(({ number }) => number === from)
    if (!(inMemory && known) && !(await isOnRecord(ctx.db, from))) return null
    const events = inMemory ? recent : await readEvents(ctx.db, from, MOST_MISSED)
    if (!inMemory && events.length === MOST_MISSED) return null
    return events
      .filter((event) => event.number > from && event.number <= to && concerns(event, peer))
      .flatMap((event) => hintOf(event) ?? [])
  }

  return {
    audience: listeners,
    position: () => position,
    deliver,
    closeEnded,
    restored(newest) {
      recent = []
      recentAfter = newest
      position = newest
      const text = textOf({ type: 'resync_required', event: newest })
      for (const connection of listeners.all) {
        connection.position = newest
        tell(connection, text, monotonic())
      }
    },
    async join(connection, lastEvent, since) {
      const { peer } = connection
      if (peer === null) return
      const begin = position
      connection.position = begin
      listeners.add(connection)
      const told = lastEvent === undefined || lastEvent === begin ? [] : await missed(lastEvent, begin, peer)
      if (since !== begin) await closeEnded([connection])
      const now = monotonic()
      send(connection, textOf({ type: 'welcome', event: begin, ping_interval: SYNC_PING_SECONDS }), now)
      const first = told ?? [{ type: 'resync_required' as const, event: begin }]
      for (const message of first) send(connection, textOf(message), now)
      for (const text of connection.waiting ?? []) send(connection, text, now)
      connection.waiting = null
    },
    leave: listeners.remove,
  }
}

const licenseOf = (type: string, licenseId: string | null): string[] =>
  type === 'license.changed' && licenseId !== null ? [licenseId] : []
