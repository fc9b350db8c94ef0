// One socket of the live channel at the server: whose it is, and its place in the events. Decides no scope.
import type { WebSocket } from 'ws'
import type { Peer } from '../../domain/sync/peer.ts'
import { type LiveSocket, liveSocket, send } from '../../platform/live-socket.ts'

export interface Connection extends LiveSocket {
  peer: Peer | null
  /** Whether `hello` came. */
  greeted: boolean
  /** The number of the last event that was looked at for it. */
  position: number
  /** Messages of events that came while it is told what it missed; null once it is told at once. */
  waiting: string[] | null
}

export const newConnection = (
  socket: WebSocket,
  peer: Peer | null,
  stranger: string | null,
  now: number,
): Connection => ({ ...liveSocket(socket, stranger, now), peer, greeted: false, position: 0, waiting: [] })

/** An event for it: told at once, or after what it missed. */
export function tell(connection: Connection, text: string, now: number): void {
  if (connection.waiting === null) send(connection, text, now)
  else connection.waiting.push(text)
}
