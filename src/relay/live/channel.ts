// The live channel through the relay: the vendor's hints on one side, the instances on the other, each at its pace.
import type { SyncEvent } from '../../contract/sync.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Memory } from '../front/remember.ts'
import type { Enrolment } from '../identity.ts'
import { paced } from '../sync/paced.ts'
import type { Upstream } from '../upstream/client.ts'
import { REFETCH_MS } from '../upstream/vendor-keys.ts'
import { type InstanceSockets, instanceSockets } from './instance-sockets.ts'
import { owedHints } from './owed.ts'
import { passOn } from './pass-on.ts'
import { keepUpstreamSocket } from './upstream-socket.ts'

/** However fast hints come, the vendor is asked for licenses no more often than this. */
const HINT_STEP_MS = 500
/** And for its keys: longer than `refetch` rests, so that the last of several changes is not passed over. */
const KEYS_STEP_MS = REFETCH_MS + 500

export interface ChannelPort {
  memory: Memory
  enrolment: Pick<Enrolment, 'upstream' | 'relayKey'>
  log: Logger
  /** Something changed, or may have: ask the vendor. */
  onHint(): void
  upstream: Pick<Upstream, 'counts' | 'isAway'>
  /** Somebody waits for the vendor: ask it, if it may be asked now. */
  onOwed(): void
}

export interface Channel {
  sockets: InstanceSockets
  isOpen(): boolean
  /** The vendor came or went, as other requests tell. */
  check(): void
  /** The relay answered this instance itself. */
  owe(instanceId: string): void
  stop(): Promise<void>
}

export function openChannel(port: ChannelPort): Channel {
  const { memory, enrolment, log, upstream, onHint } = port
  const sockets: InstanceSockets = instanceSockets(memory, (instanceId) => owed.claim(instanceId))
  const owed = owedHints({
    answered: () => upstream.counts.answered,
    isAway: () => upstream.isAway() === true,
    ask: port.onOwed,
    tell: sockets.resyncOf,
    listening: sockets.listening,
    now: () => performance.now(),
  })
  const hints = passOn(sockets)
  const hinted = paced(HINT_STEP_MS, onHint)
  const keysChanged = paced(KEYS_STEP_MS, () => void memory.keys.refetch().catch(() => false))
  const live = keepUpstreamSocket({
    url: enrolment.upstream,
    relayKey: enrolment.relayKey,
    log,
    chance: Math.random,
    onEvent(event: SyncEvent) {
      hints.event(event)
      if (event.type === 'keys.changed') keysChanged()
      if (event.type !== 'action.changed') hinted()
    },
    onResync(event) {
      hints.resync(event)
      hinted()
    },
  })
  return {
    sockets,
    isOpen: live.isOpen,
    check() {
      live.check()
      owed.look()
    },
    owe: owed.owe,
    stop() {
      owed.stop()
      live.stop()
      return sockets.close()
    },
  }
}
