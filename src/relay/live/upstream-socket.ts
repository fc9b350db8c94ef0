// The one socket of the live channel to the vendor: kept open, opened again with growing pauses. Passes hints on.
import { WebSocket } from 'ws'
import {
  SYNC_CLOSE,
  SYNC_MOST_BYTES,
  SYNC_PATH,
  SYNC_PING_SECONDS,
  type SyncEvent,
} from '../../contract/sync.ts'
import type { Logger } from '../../platform/logger.ts'
import { readHint } from './hint.ts'

/** Milliseconds: the first pause, and the longest, so that the channel is back within 4 s of the vendor. */
const FIRST_PAUSE = 250
const LONGEST_PAUSE = 2500
/** After the vendor did not accept the relay key: that is not an outage. */
const REFUSED_PAUSE = 60_000
const HANDSHAKE_MS = 3000
/** A way that forgot the connection tells nobody: the vendor has this long to answer a ping. */
const PONG_MS = 1500
const SILENCE_MS = SYNC_PING_SECONDS * 2500

export interface UpstreamSocketPort {
  url: string
  relayKey: string
  log: Logger
  /** 0 to 1. */
  chance(): number
  onEvent(event: SyncEvent): void
  /** The channel is open, or what was missed cannot be told: everything is to be asked anew. */
  onResync(event: number): void
}

export interface UpstreamSocket {
  isOpen(): boolean
  /** The vendor came or went, as other requests tell: makes sure that an open socket still leads to it. */
  check(): void
  stop(): void
}

export function keepUpstreamSocket(port: UpstreamSocketPort): UpstreamSocket {
  let socket: WebSocket | null = null
  let timer: NodeJS.Timeout | undefined
  let open = false
  let stopped = false
  let failures = 0
  let lastEvent: number | undefined
  let begunAt = 0
  let probe: NodeJS.Timeout | undefined

  const connect = (): void => {
    begunAt = performance.now()
    const current = new WebSocket(`${port.url.replace(/^http/, 'ws')}${SYNC_PATH}`, {
      headers: { Authorization: `Bearer ${port.relayKey}` },
      handshakeTimeout: HANDSHAKE_MS,
      followRedirects: false,
      maxPayload: SYNC_MOST_BYTES * 4,
      perMessageDeflate: false,
    })
    socket = current
    let silence: NodeJS.Timeout | undefined
    let refused = false
    const heard = () => {
      clearTimeout(silence)
      clearTimeout(probe)
      probe = undefined
      silence = setTimeout(() => current.terminate(), SILENCE_MS)
      silence.unref()
    }
    current.on('open', () => {
      heard()
      say({ type: 'hello', ...(lastEvent === undefined ? {} : { last_event: lastEvent }) })
    })
    current.on('ping', heard)
    current.on('message', (data, isBinary) => {
      heard()
      if (!isBinary) hear(data.toString())
    })
    current.on('unexpected-response', (_request, response) => {
      refused = response.statusCode === 401 || response.statusCode === 403
      current.terminate()
    })
    // Told by `close`, which always follows.
    current.on('error', () => {})
    current.on('close', (code) => {
      clearTimeout(silence)
      clearTimeout(probe)
      probe = undefined
      open = false
      if (stopped) return
      const unwanted = code === SYNC_CLOSE.unauthorized || code === SYNC_CLOSE.ended
      again(refused || unwanted ? REFUSED_PAUSE : pause())
    })
  }

  const say = (message: object): void => socket?.send(JSON.stringify(message), () => {})

  function hear(text: string): void {
    const message = readHint(text)
    if (message === null) return
    if ('event' in message && message.event !== undefined) lastEvent = message.event
    switch (message.type) {
      case 'welcome':
        if (!open) port.log.info({}, 'the live channel is open')
        open = true
        failures = 0
        port.onResync(message.event)
        return
      case 'ping':
        say({ type: 'pong' })
        return
      case 'resync_required':
        port.onResync(message.event)
        return
      case 'pong':
        return
      default:
        port.onEvent(message)
    }
  }

  /**
   * Full jitter over a bound that doubles (as in the reference, capped much lower), counted from the attempt's begin: one
   * that ran into its timeout has waited already.
   */
  function pause(): number {
    const bound = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures, 10))
    failures += 1
    return Math.max(50, port.chance() * bound - (performance.now() - begunAt))
  }

  function again(ms: number): void {
    timer = setTimeout(connect, ms)
    timer.unref()
  }

  connect()
  return {
    isOpen: () => open,
    check() {
      const current = socket
      if (stopped || !open || probe !== undefined || current === null) return
      say({ type: 'ping' })
      probe = setTimeout(() => current.terminate(), PONG_MS)
      probe.unref()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      clearTimeout(probe)
      socket?.close()
      socket?.terminate()
    },
  }
}
