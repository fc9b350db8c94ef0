// The live channel (contract/sync.ts) over the platform's WebSocket: says hello, keeps its place, and connects again. What
// it hears is a hint and goes to the state as one. Decides nothing about rights; never throws, keeps no process alive.
import { SYNC_CLOSE, SYNC_PING_SECONDS } from '../../contract/sync.ts'
import type { ChannelView } from '../explain/diagnostics.ts'
import { callSafely, wordsOf } from '../guard.ts'
import type { Host, HostSocket } from '../host/port.ts'
import { instanceKey } from '../runtime/hash.ts'
import type { Want } from '../state/hints.ts'
import type { SdkState } from '../state/state.ts'
import { channelTarget } from '../wire/compose.ts'
import { hintOf, type Message, readMessage } from './hint.ts'

/** Milliseconds in which the server must have said welcome. */
const WELCOME_WITHIN = 10_000
/** The longest pause before the first try again, and before any (contract/sync.ts). */
const FIRST_PAUSE = 5_000
const LONGEST_PAUSE = 60_000
/** Nobody pings more rarely than this, in seconds: a longer silence would hide a dead connection. */
const RAREST_PING = 300

export interface ChannelPort {
  host: Host
  state(): SdkState
  /** `first`: nothing was heard on this channel before. */
  hint(want: Want, first: boolean): void
}

export interface Channel {
  /** The state has moved on: connects, or closes where it should. */
  follow(state: SdkState): void
  show(): ChannelView
}

export function openChannel(port: ChannelPort): Channel {
  const { host } = port
  const shown: ChannelView = { state: 'off', lastEvent: null, malformed: 0 }
  let socket: HostSocket | null = null
  /** Where it connects to, is connected, or will after a pause. */
  let url: string | null = null
  /** The credential that was said hello with, and the one that was refused. */
  let said: string | null = null
  let refused: string | null = null
  let key: Promise<string> | null = null
  let failures = 0
  let silence = WELCOME_WITHIN
  let cancel = () => {}

  function follow(state: SdkState): void {
    const target = host.openSocket ? channelTarget(state) : null
    if (target?.url !== url) close()
    // On its way, or there.
    if (target === null || url !== null) return
    if (target.token === refused) shown.state = 'refused'
    else if (target.token !== null) connect(target.url)
  }

  function connect(address: string): void {
    url = address
    shown.state = 'connecting'
    silence = WELCOME_WITHIN
    try {
      const opened = host.openSocket?.(address) ?? null
      socket = opened
      listen(opened)
    } catch (error) {
      host.log.info(`Live channel: ${wordsOf(error)}`)
      lose(FIRST_PAUSE)
    }
  }

  function listen(opened: HostSocket | null): void {
    const on = (type: Parameters<HostSocket['addEventListener']>[0], work: (event: object) => void) =>
      opened?.addEventListener(type, (event) => {
        // One that was given up has nothing to say.
        if (opened === socket) callSafely(() => work(event), report)
      })
    on('open', hello)
    on('message', (event) => hear('data' in event ? event.data : null))
    on('close', (event) => closed('code' in event ? event.code : null))
    on('error', () => {})
    watch()
  }

  /** Silence for too long, also before the welcome, ends the connection. */
  function watch(): void {
    cancel()
    cancel = host.timers.after(silence, () => lose(FIRST_PAUSE))
  }

  function hello(): void {
    said = channelTarget(port.state())?.token ?? null
    const { lastEvent } = shown
    say({ type: 'hello', token: said, ...(lastEvent === null ? {} : { last_event: lastEvent }) })
  }

  const say = (message: object) => socket?.send(JSON.stringify(message))

  function hear(data: unknown): void {
    const message = readMessage(data)
    if (message === null) {
      shown.malformed++
      return
    }
    watch()
    const first = shown.lastEvent === null
    const { event } = message
    // A restored database counts from an earlier number.
    if (event !== undefined) {
      shown.lastEvent = message.type === 'resync_required' ? event : Math.max(event, shown.lastEvent ?? 0)
    }
    if (message.type === 'ping') say({ type: 'pong' })
    else if (message.type === 'welcome') welcome(message, first)
    else tell(message).catch(report)
  }

  function welcome({ ping_interval: pingInterval }: Message, first: boolean): void {
    shown.state = 'open'
    failures = 0
    const seconds = typeof pingInterval === 'number' && pingInterval > 0 ? pingInterval : SYNC_PING_SECONDS
    silence = Math.min(seconds, RAREST_PING) * 2500
    watch()
    // What came between the last answer and this place is not told.
    if (first) port.hint('grant', true)
  }

  async function tell(message: Message): Promise<void> {
    const { product, instanceId } = port.state().config
    key ??= instanceKey(product, instanceId)
    const want = hintOf(message, port.state(), await key)
    if (want !== null) port.hint(want, false)
  }

  function closed(code: unknown): void {
    const { expired, ended, unauthorized, bad_message, too_big, no_hello } = SYNC_CLOSE
    if (code === expired || code === ended || code === unauthorized) {
      refused = said
      // A seat or credential was taken: the server says which, if it is asked.
      if (code === ended) port.hint('grant', false)
      close()
      follow(port.state())
      return
    }
    // We do not understand each other; that lasts longer than a restart.
    const isStrange = code === bad_message || code === too_big || code === no_hello
    lose(isStrange ? LONGEST_PAUSE : FIRST_PAUSE)
  }

  /** Connects again after a pause by chance, which doubles while that fails. */
  function lose(longest: number): void {
    const address = url
    close()
    url = address
    shown.state = 'waiting'
    const most = Math.min(LONGEST_PAUSE, longest * 2 ** Math.min(failures++, 10))
    const [high = 0, low = 0] = host.random(2)
    cancel = host.timers.after(most * ((high * 256 + low) / 65_536), () => {
      close()
      follow(port.state())
    })
  }

  function close(): void {
    cancel()
    const given = socket
    socket = null
    url = null
    shown.state = 'off'
    if (given) callSafely(() => given.close(), report)
  }

  function report(error: unknown): void {
    host.log.info(`Live channel: ${wordsOf(error)}`)
  }

  return { follow: (state) => callSafely(() => follow(state), report), show: () => ({ ...shown }) }
}
