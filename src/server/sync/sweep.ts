// Looks over all sockets once a second: who never said hello, whose JWT has ended, who is to be pinged or is silent.
import type { Ctx } from '../../domain/kernel/context.ts'
import { look, textOf } from '../../platform/live-socket.ts'
import { type Repeating, repeat } from '../repeat.ts'
import type { Connection } from './connection.ts'
import type { Hub } from './hub.ts'

const EVERY_MS = 1_000
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
    for (const connection of open) {
      const { peer, waiting } = connection
      const expired = peer?.kind === 'instance' && peer.session !== null && wall >= peer.session.exp
      look(connection, { now, ping, welcomed: waiting === null, expired })
    }
    if (now - doubtedAt < DOUBT_MS) return
    doubtedAt = now
    await hub
      .closeEnded([...open])
      .catch((error: unknown) => ctx.log.warn({ err: error }, 'credentials could not be looked at'))
  }, EVERY_MS)
}
