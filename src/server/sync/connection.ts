// One socket of the live channel: its place in the events, what it may still send and be sent. Decides no scope.
import type { WebSocket } from 'ws'
import { SYNC_CLOSE, type SyncCloseReason, type SyncServerMessage } from '../../contract/sync.ts'
import type { Peer } from '../../domain/sync/peer.ts'

/** Bytes that may wait for a client to read them. */
const MOST_BUFFERED = 256 * 1024
/** Messages and control frames of a client within one ping interval. */
const MOST_MESSAGES = 60
const READY = 1

export interface Connection {
  readonly socket: WebSocket
  /** What counts as its address while it is not authenticated; null from then on. */
  stranger: string | null
  peer: Peer | null
  /** Whether `hello` came. */
  greeted: boolean
  /** The number of the last event that was looked at for it. */
  position: number
  /** Messages of events that came while it is told what it missed; null once it is told at once. */
  waiting: string[] | null
  /** Monotonic milliseconds. */
  openedAt: number
  heardAt: number
  pingedAt: number
  closingAt: number | null
  /** In the present ping interval. */
  messages: number
}

export function newConnection(
  socket: WebSocket,
  peer: Peer | null,
  stranger: string | null,
  now: number,
): Connection {
  return {
    socket,
    stranger,
    peer,
    greeted: false,
    position: 0,
    waiting: [],
    openedAt: now,
    heardAt: now,
    pingedAt: now,
    closingAt: null,
    messages: 0,
  }
}

/** Closes it; what the client does not answer within two seconds is cut off by the sweep. */
export function closeConnection(
  connection: Connection,
  reason: SyncCloseReason,
  now: number,
  why: string = reason,
): void {
  if (connection.closingAt !== null) return
  connection.closingAt = now
  connection.socket.close(SYNC_CLOSE[reason], why)
}

/** Sends a text, unless the socket is closing; a client that does not read is dropped, not buffered for. */
export function send(connection: Connection, text: string, now: number): void {
  const { socket, closingAt } = connection
  if (closingAt !== null || socket.readyState !== READY) return
  if (socket.bufferedAmount > MOST_BUFFERED) {
    closeConnection(connection, 'slow_reader', now)
    return
  }
  socket.send(text)
}

/** An event for it: told at once, or after what it missed. */
export function tell(connection: Connection, text: string, now: number): void {
  if (connection.waiting === null) send(connection, text, now)
  else connection.waiting.push(text)
}

export const textOf = (message: SyncServerMessage): string => JSON.stringify(message)

/** Counts what a client sent. False once it is far too much. */
export function heard(connection: Connection, now: number): boolean {
  connection.heardAt = now
  connection.messages += 1
  return connection.messages <= MOST_MESSAGES
}
