// The live channel of this process: sockets from handshake to close, over the feed of events. Node only.
import { upgradeWebSocket } from '@hono/node-server'
import { type WebSocket, WebSocketServer } from 'ws'
import { syncClientMessage } from '../../contract/sync.schema.ts'
import { SYNC_MOST_BYTES, type SyncHello } from '../../contract/sync.ts'
import { isDatabaseUnavailable } from '../../db/errors.ts'
import { type Ctx, Refusal, type Services } from '../../domain/kernel/context.ts'
import { authenticatePeer } from '../../domain/sync/authenticate-peer.ts'
import type { Peer } from '../../domain/sync/peer.ts'
import type { SyncDoor } from '../../http/sync.ts'
import { credentialKind } from '../../platform/credentials.ts'
import { closeSocket, heard, send, strangerCounts, textOf } from '../../platform/live-socket.ts'
import type { Metrics } from '../../platform/metrics.ts'
import type { SocketServer } from '../listen.ts'
import { type Connection, newConnection } from './connection.ts'
import { openEventFeed } from './event-feed.ts'
import { openHub, RECENT_EVENTS } from './hub.ts'
import { startSweep } from './sweep.ts'

export interface SyncOptions {
  services: Services
  databaseUrl: string
  metrics: Metrics
  /** Milliseconds between two polls; the default covers a lost notification within 5 s. */
  pollMs?: number
}

export interface SyncServer {
  door: SyncDoor
  /** What the HTTP server hands sockets over to. */
  sockets: SocketServer
  /** Sends every client elsewhere (1001), and resolves when all have gone, or after a second. */
  stop(): Promise<void>
}

/** Protocol pings and pongs count as messages do. */
const FRAMES = ['ping', 'pong'] as const
const GOING_MS = 1_000

export async function openSync({ services, databaseUrl, metrics, pollMs }: SyncOptions): Promise<SyncServer> {
  const ctx: Ctx = { ...services, actor: { kind: 'anonymous', id: '-' }, requestId: 'sync' }
  const { monotonic } = services.clock
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: SYNC_MOST_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  })
  const open = new Set<Connection>()
  const strangers = strangerCounts()
  let stopping = false
  const feed = await openEventFeed({
    services,
    databaseUrl,
    recent: RECENT_EVENTS,
    ...(pollMs === undefined ? {} : { pollMs }),
    onEvents: (events) => hub.deliver(events),
    onRestored: (newest) => hub.restored(newest),
  })
  const hub = openHub({ ctx, recent: feed.recent, after: feed.after })
  const sweep = startSweep({ ctx, hub, open })
  const gauge = metrics.gauge('leasehold_sync_connections', 'Open sockets of the live channel.')

  const gone = (connection: Connection): void => {
    strangers.release(connection)
    open.delete(connection)
    hub.leave(connection)
    gauge.set({}, open.size)
  }

  const greet = async (connection: Connection, hello: SyncHello): Promise<void> => {
    connection.greeted = true
    const since = hub.position()
    connection.peer ??= await prove(ctx, hello.token)
    strangers.release(connection)
    if (connection.closingAt === null && open.has(connection)) {
      await hub.join(connection, hello.last_event, since)
    }
  }

  const receive = (connection: Connection, data: string): void => {
    const now = monotonic()
    const message = syncClientMessage.safeParse(parse(data)).data
    if (!heard(connection, now) || !message || (message.type === 'hello') === connection.greeted) {
      closeSocket(connection, 'bad_message', now)
    } else if (message.type === 'hello') {
      greet(connection, message).catch((error: unknown) => refuse(services, connection, error))
    } else if (message.type === 'ping') {
      send(connection, textOf({ type: 'pong' }), now)
    }
  }

  const accept = (socket: WebSocket, peer: Peer | null, stranger: string | null): void => {
    const crowded = strangers.isCrowded(stranger)
    const connection = newConnection(socket, peer, stranger, monotonic())
    strangers.add(connection)
    open.add(connection)
    gauge.set({}, open.size)
    socket.on('message', (data, isBinary) => {
      if (isBinary) closeSocket(connection, 'bad_message', monotonic())
      else receive(connection, data.toString())
    })
    for (const frame of FRAMES) {
      socket.on(frame, () => {
        if (!heard(connection, monotonic())) closeSocket(connection, 'bad_message', monotonic())
      })
    }
    socket.on('error', (error) => services.log.debug({ err: error }, 'a socket failed'))
    socket.on('close', () => gone(connection))
    // Handshakes at the same time have all passed the door.
    if (crowded) closeSocket(connection, 'try_again', monotonic())
    if (stopping) closeSocket(connection, 'going_away', monotonic())
  }

  return {
    // Its own types leave `noServer` open.
    sockets: sockets as unknown as SocketServer,
    door: async (c, peer, network) => {
      const stranger = peer === null ? network : null
      if (strangers.isCrowded(stranger)) throw tooMany()
      return upgradeWebSocket(c, {
        onOpen: (_event, { raw }) => {
          const socket = raw as unknown as WebSocket
          // Once its own listeners are there: they would hold the whole request for as long as the socket is open.
          queueMicrotask(() => {
            for (const event of ['message', 'close', 'error']) socket.removeAllListeners(event)
            accept(socket, peer, stranger)
          })
        },
      })
    },
    async stop() {
      stopping = true
      for (const connection of open) closeSocket(connection, 'going_away', monotonic())
      const deadline = performance.now() + GOING_MS
      while (open.size > 0 && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      for (const connection of open) connection.socket.terminate()
      await sweep.stop()
      await feed.stop()
      sockets.close()
    },
  }
}

async function prove(ctx: Ctx, token: string | undefined): Promise<Peer> {
  const kind = token === undefined ? null : credentialKind(token)
  if (token === undefined || kind === null) throw new Refusal('unauthorized', 'No credential.')
  return authenticatePeer(ctx, { kind, text: token })
}

function refuse({ log, clock }: Services, connection: Connection, error: unknown): void {
  if (error instanceof Refusal) {
    closeSocket(connection, 'unauthorized', clock.monotonic(), error.code)
    return
  }
  if (!isDatabaseUnavailable(error)) log.error({ err: error }, 'a socket could not be taken in')
  closeSocket(connection, 'try_again', clock.monotonic())
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const tooMany = () =>
  new Refusal('rate_limited', 'Too many sockets of this address are not authenticated yet.', {
    headers: { 'Retry-After': '5' },
    fix: 'Send the credential in the Authorization header, or hello at once.',
  })
