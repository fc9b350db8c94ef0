// The live channel as the relay offers it to its instances: hints of the vendor passed on to whom they concern.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { syncClientMessage } from '../../contract/sync.schema.ts'
import {
  SYNC_CLOSE,
  SYNC_HELLO_SECONDS,
  SYNC_MOST_BYTES,
  SYNC_MOST_STRANGERS,
  SYNC_PATH,
  SYNC_PING_SECONDS,
  type SyncEvent,
  type SyncServerMessage,
} from '../../contract/sync.ts'
import type { Memory } from '../front/remember.ts'
import { publicInstance } from '../front/request.ts'

const MOST_BUFFERED = 256 * 1024

/** Whom a socket speaks for. */
interface Listener {
  product: string
  /** `ins_…`. */
  instance: string
  licenses: Set<string>
}

export interface InstanceSockets {
  /** Takes an `upgrade` of the HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  tell(event: SyncEvent): void
  /** What was missed cannot be told. `event`: where the vendor's numbers stand now, which may be lower than before. */
  resync(event: number): void
  count(): number
  close(): void
}

export function instanceSockets(memory: Pick<Memory, 'grants' | 'keys' | 'hash'>): InstanceSockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: SYNC_MOST_BYTES,
    perMessageDeflate: false,
  })
  const listeners = new Map<WebSocket, Listener>()
  const strangers = new Map<string, number>()
  const alive = new WeakSet<WebSocket>()
  let newest = 0

  const pings = setInterval(() => {
    for (const socket of listeners.keys()) {
      if (!alive.has(socket)) socket.terminate()
      alive.delete(socket)
      socket.ping()
    }
  }, SYNC_PING_SECONDS * 1000)
  pings.unref()

  function accept(socket: WebSocket, bearer: string | null, address: string): void {
    let known = false
    alive.add(socket)
    strangers.set(address, (strangers.get(address) ?? 0) + 1)
    const leaveStrangers = once(() => {
      const left = (strangers.get(address) ?? 1) - 1
      if (left > 0) strangers.set(address, left)
      else strangers.delete(address)
    })
    const deadline = setTimeout(
      () => socket.close(SYNC_CLOSE.no_hello, 'no_hello'),
      SYNC_HELLO_SECONDS * 1000,
    )
    deadline.unref()
    socket.on('pong', () => alive.add(socket))
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      clearTimeout(deadline)
      leaveStrangers()
      listeners.delete(socket)
    })
    socket.on('message', (data, isBinary) => {
      alive.add(socket)
      const message = isBinary ? null : parse(data.toString())
      if (message === null) return socket.close(SYNC_CLOSE.bad_message, 'bad_message')
      if (message.type === 'ping') return send(socket, { type: 'pong' })
      if (message.type !== 'hello' || known) return
      known = true
      clearTimeout(deadline)
      const found = listenerOf(bearer ?? message.token ?? null).catch(() => null)
      void found.then((listener) => {
        leaveStrangers()
        if (listener === null) return socket.close(SYNC_CLOSE.unauthorized, 'unauthorized')
        listeners.set(socket, listener)
        send(socket, { type: 'welcome', event: newest, ping_interval: SYNC_PING_SECONDS })
        // Another place in the events than ours: one question of the instance makes it sure.
        if (message.last_event !== newest) send(socket, { type: 'resync_required', event: newest })
      })
    })
  }

  /** A JWT that the vendor signed and that has not expired, or an instance token that it accepted here before. */
  async function listenerOf(token: string | null): Promise<Listener | null> {
    if (token === null) return null
    if (token.startsWith('eyJ')) {
      const claims = await memory.keys.licenseJwt(token, null, null, 'unexpired')
      return claims?.instance_id === undefined ? null : listenerFor(claims.aud, claims.instance_id)
    }
    if (!token.startsWith('lit_')) return null
    const known = memory.grants.instanceOf(memory.hash('instance_token', token))
    return known === null ? null : listenerFor(known.product, known.instanceId)
  }

  function listenerFor(product: string, instanceId: string): Listener {
    const licenses = memory.grants.ofInstance(product, instanceId).map(({ licenseId }) => licenseId)
    return { product, instance: publicInstance(product, instanceId), licenses: new Set(licenses) }
  }

  function send(socket: WebSocket, message: SyncServerMessage): void {
    if (socket.bufferedAmount > MOST_BUFFERED) socket.close(SYNC_CLOSE.slow_reader, 'slow_reader')
    else socket.send(JSON.stringify(message), () => {})
  }

  return {
    upgrade(request, socket, head) {
      const refuse = (status: string) =>
        socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy())
      const address = request.socket.remoteAddress ?? ''
      if (request.url !== SYNC_PATH)
        return void refuse(request.url?.startsWith(SYNC_PATH) ? '400 Bad Request' : '404 Not Found')
      if (request.headers.origin !== undefined) return void refuse('403 Forbidden')
      if ((strangers.get(address) ?? 0) >= SYNC_MOST_STRANGERS) return void refuse('429 Too Many Requests')
      const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null
      server.handleUpgrade(request, socket, head, (opened) => accept(opened, bearer, address))
    },
    tell(event) {
      newest = Math.max(newest, event.event)
      for (const [socket, listener] of listeners) if (concerns(event, listener)) send(socket, event)
    },
    resync(event) {
      newest = event
      for (const socket of listeners.keys()) send(socket, { type: 'resync_required', event: newest })
    },
    count: () => listeners.size,
    close() {
      clearInterval(pings)
      for (const socket of listeners.keys()) socket.close(SYNC_CLOSE.going_away, 'going_away')
      server.close()
    },
  }
}

function concerns(event: SyncEvent, listener: Listener): boolean {
  switch (event.type) {
    case 'keys.changed':
      return event.product === listener.product
    case 'action.changed':
      return event.instance === listener.instance
    case 'license.changed':
      return event.instance === undefined
        ? listener.licenses.has(event.license_id)
        : event.instance === listener.instance
  }
}

function parse(text: string) {
  try {
    const read = syncClientMessage.safeParse(JSON.parse(text))
    return read.success ? read.data : null
  } catch {
    return null
  }
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}
