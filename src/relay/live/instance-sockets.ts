// The live channel as the relay offers it to its instances: hints of the vendor passed on to whom they concern.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { syncClientMessage } from '../../contract/sync.schema.ts'
import {
  SYNC_MOST_BYTES,
  SYNC_PATH,
  SYNC_PING_SECONDS,
  type SyncEvent,
  type SyncHello,
} from '../../contract/sync.ts'
import {
  closeSocket,
  heard,
  isSocket,
  type LiveSocket,
  liveSocket,
  look,
  send,
  strangerCounts,
  textOf,
} from '../../platform/live-socket.ts'
import { networkOf } from '../../platform/network.ts'
import {
  concerns,
  hasEnded,
  hasExpired,
  holdersFor,
  type Listener,
  type ListenerMemory,
  listenerOf,
} from './listener.ts'

const SWEEP_MS = 1_000
/** Sockets in all, and of one instance: one for each of its processes, and those that nobody closed. */
const MOST_SOCKETS = 10_000
const MOST_OF_AN_INSTANCE = 8
const GOING_MS = 1_000
const FRAMES = ['ping', 'pong'] as const

interface Connection extends LiveSocket {
  listener: Listener | null
  greeted: boolean
  welcomed: boolean
}

export interface InstanceSockets {
  /** Takes an `upgrade` of the HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  tell(event: SyncEvent): void
  /** What was missed cannot be told. `event`: where the vendor's numbers stand now, which may be lower than before. */
  resync(event: number): void
  /** The same to these alone: to all of their sockets. Those that have one. */
  resyncOf(instanceIds: ReadonlySet<string>): ReadonlySet<string>
  /** Who has a socket that was let in. */
  listening(): string[]
  /** Instances' sockets that were let in. */
  count(): number
  /** Sends every client elsewhere (1001), strangers too, and resolves when all have gone, or after a second. */
  close(): Promise<void>
}

/** `claim`: whether an instance that has just said hello is owed a word to ask anew. */
export function instanceSockets(
  memory: ListenerMemory,
  claim: (instanceId: string) => boolean,
): InstanceSockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: SYNC_MOST_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  })
  const open = new Set<Connection>()
  const strangers = strangerCounts()
  const monotonic = () => performance.now()
  let newest = 0
  let stopping = false

  const sweep = setInterval(() => {
    const [now, wall] = [monotonic(), memory.now()]
    const ping = textOf({ type: 'ping', event: newest })
    for (const connection of open) {
      const { listener, welcomed } = connection
      if (listener !== null && hasEnded(memory, listener)) closeSocket(connection, 'ended', now)
      look(connection, { now, ping, welcomed, expired: listener !== null && hasExpired(listener, wall) })
    }
  }, SWEEP_MS)
  sweep.unref()

  function accept(socket: WebSocket, listener: Listener | null, stranger: string | null): void {
    const crowded = strangers.isCrowded(stranger)
    const live = liveSocket(socket, stranger, monotonic())
    const connection: Connection = { ...live, listener, greeted: false, welcomed: false }
    strangers.add(connection)
    open.add(connection)
    socket.on('message', (data, isBinary) => receive(connection, isBinary ? null : parse(data.toString())))
    for (const frame of FRAMES) {
      socket.on(frame, () => {
        if (!heard(connection, monotonic())) closeSocket(connection, 'bad_message', monotonic())
      })
    }
    // Told by `close`, which always follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      strangers.release(connection)
      open.delete(connection)
    })
    // Handshakes at the same time have all passed the door.
    if (crowded) closeSocket(connection, 'try_again', monotonic())
    if (stopping) closeSocket(connection, 'going_away', monotonic())
  }

  function receive(connection: Connection, said: unknown): void {
    const now = monotonic()
    const message = syncClientMessage.safeParse(said).data
    if (!heard(connection, now) || !message || (message.type === 'hello') === connection.greeted) {
      closeSocket(connection, 'bad_message', now)
    } else if (message.type === 'hello') {
      connection.greeted = true
      void greet(connection, message).catch(() => closeSocket(connection, 'try_again', monotonic()))
    } else if (message.type === 'ping') send(connection, textOf({ type: 'pong' }), now)
  }

  async function greet(connection: Connection, hello: SyncHello): Promise<void> {
    connection.listener ??= await listenerOf(memory, hello.token ?? null)
    strangers.release(connection)
    const { listener } = connection
    const now = monotonic()
    if (listener === null) return closeSocket(connection, 'unauthorized', now)
    if (connection.closingAt !== null || !open.has(connection)) return
    makeRoom(listener)
    connection.welcomed = true
    send(connection, textOf({ type: 'welcome', event: newest, ping_interval: SYNC_PING_SECONDS }), now)
    // Another place in the events than ours: one question of the instance makes it sure.
    const isOwed = claim(listener.instanceId)
    if (isOwed || hello.last_event !== newest)
      send(connection, textOf({ type: 'resync_required', event: newest }), now)
  }

  /** Of too many sockets of one instance, the one that was silent the longest gives way. */
  function makeRoom({ instance }: Listener): void {
    const own = welcomed().filter(
      (other) => other.listener?.instance === instance && other.closingAt === null,
    )
    if (own.length < MOST_OF_AN_INSTANCE) return
    const [first] = own.toSorted((a, b) => a.heardAt - b.heardAt)
    if (first) closeSocket(first, 'try_again', monotonic())
  }

  const welcomed = (): Connection[] => [...open].filter((connection) => connection.welcomed)

  async function admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (!isSocket(request)) return refuse(socket, '404 Not Found')
    if (request.url !== SYNC_PATH) return refuse(socket, '400 Bad Request')
    if (request.headers.origin !== undefined) return refuse(socket, '403 Forbidden')
    if (stopping || open.size >= MOST_SOCKETS) return refuse(socket, '503 Service Unavailable', 30)
    const { authorization } = request.headers
    const network = networkOf(request.socket.remoteAddress ?? '')
    const stranger = authorization === undefined ? network : null
    if (strangers.isCrowded(stranger)) return refuse(socket, '429 Too Many Requests', 5)
    const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? null
    const listener = authorization === undefined ? null : await listenerOf(memory, bearer)
    if (authorization !== undefined && listener === null) return refuse(socket, '401 Unauthorized')
    if (!socket.destroyed)
      server.handleUpgrade(request, socket, head, (opened) => accept(opened, listener, stranger))
  }

  return {
    upgrade(request, socket, head) {
      admit(request, socket, head).catch(() => refuse(socket, '503 Service Unavailable', 5))
    },
    tell(event) {
      newest = Math.max(newest, event.event)
      const holders = holdersFor(memory, event)
      const text = textOf(event)
      const now = monotonic()
      for (const connection of welcomed()) {
        const { listener } = connection
        if (listener !== null && concerns(event, listener, holders)) send(connection, text, now)
      }
    },
    resync(event) {
      newest = event
      const text = textOf({ type: 'resync_required', event })
      for (const connection of welcomed()) send(connection, text, monotonic())
    },
    resyncOf(instanceIds) {
      const text = textOf({ type: 'resync_required', event: newest })
      const told = new Set<string>()
      for (const connection of welcomed()) {
        const { instanceId } = connection.listener ?? {}
        if (instanceId === undefined || connection.closingAt !== null || !instanceIds.has(instanceId))
          continue
        send(connection, text, monotonic())
        told.add(instanceId)
      }
      return told
    },
    listening: () => welcomed().flatMap(({ listener }) => (listener === null ? [] : [listener.instanceId])),
    count: () => welcomed().length,
    async close() {
      stopping = true
      for (const connection of open) closeSocket(connection, 'going_away', monotonic())
      const deadline = monotonic() + GOING_MS
      while (open.size > 0 && monotonic() < deadline) await new Promise((done) => setTimeout(done, 10))
      clearInterval(sweep)
      for (const { socket } of open) socket.terminate()
      server.close()
    },
  }
}

function refuse(socket: Duplex, status: string, retryAfter?: number): void {
  const wait = retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`
  socket.end(`HTTP/1.1 ${status}\r\n${wait}Connection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
