// Follows the event rows: woken by NOTIFY, and by a poll that covers a notification that was lost. Knows no socket.
import postgres from 'postgres'
import { databaseFault } from '../../db/errors.ts'
import type { Services } from '../../domain/kernel/context.ts'
import { EVENT_CHANNEL } from '../../domain/kernel/record-change.ts'
import type { EventRow } from '../../domain/sync/peer.ts'
import { newestEvent, numberBefore, readEvents } from '../../domain/sync/read-events.ts'
import { repeat } from '../repeat.ts'

/** Events of one read; more are read at once after it. */
const BATCH = 1_000
/** Milliseconds until a notification that was lost is made up for. */
const POLL_MS = 5_000

export interface FeedOptions {
  services: Pick<Services, 'db' | 'log'>
  databaseUrl: string
  /** How many of the newest events are given at the start. */
  recent: number
  pollMs?: number
  /** In order; the next batch follows when this one is done. One that fails is given again, and maybe more with it. */
  onEvents: (events: readonly EventRow[]) => Promise<void>
  /** The database went back to a state before the last event: go on from `newest` (T12). */
  onRestored: (newest: number) => void
}

export interface EventFeed {
  stop(): Promise<void>
}

export interface OpenedFeed extends EventFeed {
  /** The newest events when it was opened, and the number that they come after. */
  recent: readonly EventRow[]
  after: number
}

export async function openEventFeed(options: FeedOptions): Promise<OpenedFeed> {
  const { services, databaseUrl, pollMs = POLL_MS } = options
  const { db, log } = services
  const after = await numberBefore(db, options.recent)
  const recent = await readEvents(db, after, options.recent)
  let position = recent.at(-1)?.number ?? after
  let stopped = false
  let running: Promise<number> | undefined
  let again = false
  /** Whether a notification came since the last poll. */
  let heard = false

  const drain = async (): Promise<number> => {
    let count = 0
    for (let full = true; full && !stopped; ) {
      const events = await readEvents(db, position, BATCH)
      const last = events.at(-1)
      full = events.length === BATCH
      if (!last) break
      await options.onEvents(events)
      position = last.number
      count += events.length
    }
    return count
  }
  /** One read at a time; a call while one runs makes one more follow. Returns how many events were new. */
  const catchUp = (): Promise<number> => {
    if (running) {
      again = true
      return running
    }
    running = drain().finally(() => {
      running = undefined
      if (again && !stopped) {
        again = false
        wake()
      }
    })
    return running
  }
  const wake = (): void => {
    catchUp().catch((error: unknown) => log.warn({ err: error }, 'events could not be read'))
  }

  let listener: postgres.Sql | undefined
  const listen = async (): Promise<void> => {
    await listener?.end({ timeout: 0 }).catch(() => {})
    if (stopped) return
    listener = listenerOn(databaseUrl)
    await listener.listen(
      EVENT_CHANNEL,
      () => {
        heard = true
        wake()
      },
      wake,
    )
  }
  const hearAgain = () => listen().catch((error: unknown) => log.debug({ err: error }, 'cannot listen yet'))

  await hearAgain()
  const poll = repeat(async () => {
    try {
      const silent = !heard
      heard = false
      const found = await catchUp()
      // An event that nobody announced: the listening connection is deaf.
      if (found > 0 && silent && !heard) await hearAgain()
      const newest = await newestEvent(db)
      if (newest < position) {
        log.warn({ position, newest }, 'the database was restored: clients are told to ask anew')
        position = newest
        options.onRestored(newest)
      }
    } catch (error) {
      const fault = databaseFault(error)
      if (fault === 'away') log.debug({ err: error }, 'the database is away')
      else if (fault === 'busy') log.warn({ err: error }, 'the database is too busy to say what happened')
      else log.error({ err: error }, 'events could not be followed')
    }
  }, pollMs)

  return {
    recent,
    after,
    async stop() {
      stopped = true
      await poll.stop()
      await running?.catch(() => {})
      await listener?.end({ timeout: 1 }).catch(() => {})
    },
  }
}

/** A connection of its own, which is never idle for too long and is not one of the pool's. */
function listenerOn(url: string): postgres.Sql {
  return postgres(url, {
    max: 1,
    fetch_types: false,
    connect_timeout: 2,
    backoff: () => 0.25,
    onnotice: () => {},
    connection: { application_name: 'leasehold events' },
  })
}
