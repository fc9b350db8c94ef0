// Looks over all sockets once a second: who never said hello, whose JWT has ended, who is to be pinged or is silent.
import { SYNC_HELLO_SECONDS, SYNC_PING_SECONDS } from '../../contract/sync.ts'
import type { Ctx } from '../../domain/context.ts'
import { type Repeating, repeat } from '../repeat.ts'
import { type Connection, closeConnection, send, textOf } from './connection.ts'
import type { Hub } from './hub.ts'

const EVERY_MS = 1_000
const HELLO_MS = SYNC_HELLO_SECONDS * 1000
const PING_MS = SYNC_PING_SECONDS * 1000
const SILENT_MS = 2.5 * PING_MS
/** How long a client may take to answer a close. */
const CLOSING_MS = 2_000
/** What no event tells of, as a seat that the instance gave up itself, is found within a minute. */
const DOUBT_MS = 60_000

export interface SweepOptions {
  ctx: Ctx
  hub: Hub
  open: ReadonlySet<Connection>
}

export function startSweep({ ctx, hub, open }: SweepOptions): Repeating {
  let doubtedAt = ctx.clock.monotonic()
  return repeat(async () => {
    const now = ctx.clock.monotonic()
    const wall = ctx.clock.now()
    const ping = textOf({ type: 'ping', event: hub.position() })
    for (const connection of open) look(connection, { now, wall, ping })
    if (now - doubtedAt < DOUBT_MS) return
    doubtedAt = now
    await hub
      .closeEnded([...open])
      .catch((error: unknown) => ctx.log.warn({ err: error }, 'credentials could not be looked at'))
  }, EVERY_MS)
}

function look(connection: Connection, { now, wall, ping }: { now: number; wall: Date; ping: string }): void {
  const { peer, closingAt } = connection
  if (closingAt !== null) {
    if (now - closingAt >= CLOSING_MS) connection.socket.terminate()
  } else if (connection.waiting !== null && now - connection.openedAt >= HELLO_MS) {
    closeConnection(connection, 'no_hello', now)
  } else if (peer?.kind === 'instance' && peer.session !== null && wall >= peer.session.exp) {
    closeConnection(connection, 'expired', now)
  } else if (now - connection.heardAt >= SILENT_MS) {
    closeConnection(connection, 'silent', now)
  } else if (now - connection.pingedAt >= PING_MS) {
    connection.pingedAt = now
    connection.messages = 0
    send(connection, ping, now)
  }
}
