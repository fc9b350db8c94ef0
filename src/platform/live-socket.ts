// One socket of the live channel, by the rules that hold at the server and at a relay alike: what it may send and be
// sent, and when it ends. Decides neither who it is nor what it is told.
import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import {
  SYNC_CLOSE,
  SYNC_HELLO_SECONDS,
  SYNC_MOST_STRANGERS,
  SYNC_PATH,
  SYNC_PING_SECONDS,
  type SyncCloseReason,
  type SyncServerMessage,
} from '../contract/sync.ts'

/** Bytes that may wait for a client to read them. */
const MOST_BUFFERED = 256 * 1024
/** Messages and control frames of a client within one ping interval. */
const MOST_MESSAGES = 60
const READY = 1
const HELLO_MS = SYNC_HELLO_SECONDS * 1000
const PING_MS = SYNC_PING_SECONDS * 1000
const SILENT_MS = 2.5 * PING_MS
/** How long a client may take to answer a close. */
const CLOSING_MS = 2_000

/** Any other upgrade, as HTTP/2 clients offer it with every request, is answered as what it is: a request. */
export const isSocket = ({ headers, url }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket' && url?.split('?', 1)[0] === SYNC_PATH

/** Times are monotonic milliseconds. */
export interface LiveSocket {
  readonly socket: WebSocket
  /** What counts as its address while it is not authenticated; null from then on. */
  stranger: string | null
  openedAt: number
  heardAt: number
  pingedAt: number
  closingAt: number | null
  /** In the present ping interval. */
  messages: number
}

export const liveSocket = (socket: WebSocket, stranger: string | null, now: number): LiveSocket => ({
  socket,
  stranger,
  openedAt: now,
  heardAt: now,
  pingedAt: now,
  closingAt: null,
  messages: 0,
})

/** Closes it; what the client does not answer within two seconds is cut off by `look`. */
export function closeSocket(
  live: LiveSocket,
  reason: SyncCloseReason,
  now: number,
  why: string = reason,
): void {
  if (live.closingAt !== null) return
  live.closingAt = now
  live.socket.close(SYNC_CLOSE[reason], why)
}

/** Sends a text, unless the socket is closing; a client that does not read is dropped, not buffered for. */
export function send(live: LiveSocket, text: string, now: number): void {
  const { socket, closingAt } = live
  if (closingAt !== null || socket.readyState !== READY) return
  if (socket.bufferedAmount > MOST_BUFFERED) {
    closeSocket(live, 'slow_reader', now)
    return
  }
  socket.send(text)
}

/** Counts what a client sent. False once it is far too much. */
export function heard(live: LiveSocket, now: number): boolean {
  live.heardAt = now
  live.messages += 1
  return live.messages <= MOST_MESSAGES
}

/** To be called about once a second. `welcomed`: its hello was accepted; `expired`: its JWT has reached its end. */
export function look(
  live: LiveSocket,
  { now, ping, welcomed, expired }: { now: number; ping: string; welcomed: boolean; expired: boolean },
): void {
  if (live.closingAt !== null) {
    if (now - live.closingAt >= CLOSING_MS) live.socket.terminate()
  } else if (!welcomed && now - live.openedAt >= HELLO_MS) {
    closeSocket(live, 'no_hello', now)
  } else if (expired) {
    closeSocket(live, 'expired', now)
  } else if (now - live.heardAt >= SILENT_MS) {
    closeSocket(live, 'silent', now)
  } else if (now - live.pingedAt >= PING_MS) {
    live.pingedAt = now
    live.messages = 0
    send(live, ping, now)
  }
}

export const textOf = (message: SyncServerMessage): string => JSON.stringify(message)

/** Sockets that are not authenticated yet, by address. */
export function strangerCounts() {
  const counts = new Map<string, number>()
  return {
    isCrowded: (address: string | null): boolean =>
      address !== null && (counts.get(address) ?? 0) >= SYNC_MOST_STRANGERS,
    add({ stranger }: LiveSocket): void {
      if (stranger !== null) counts.set(stranger, (counts.get(stranger) ?? 0) + 1)
    },
    /** It is authenticated, or gone. */
    release(live: LiveSocket): void {
      const { stranger } = live
      if (stranger === null) return
      live.stranger = null
      const left = (counts.get(stranger) ?? 1) - 1
      if (left > 0) counts.set(stranger, left)
      else counts.delete(stranger)
    },
  }
}
