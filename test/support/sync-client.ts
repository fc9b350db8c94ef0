// A client of the live channel, which keeps all that it was told.
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { syncServerMessage } from '../../src/contract/sync.schema.ts'
import type { SyncServerMessage } from '../../src/contract/sync.ts'
import { until } from './leasehold-process.ts'

export interface SyncClient {
  socket: WebSocket
  messages: SyncServerMessage[]
  /** Events alone, in the order they came. */
  events(): SyncServerMessage[]
  closed: Promise<{ code: number; why: string }>
  /** Waits for that many events in all. */
  told(count: number, withinMs?: number): Promise<SyncServerMessage[]>
  say(message: unknown): void
  close(): Promise<unknown>
}

export interface SyncOptions {
  bearer?: string
  headers?: Record<string, string>
  /** Said at once; null says nothing. */
  hello?: object | null
  path?: string
}

const NO_EVENTS = new Set(['welcome', 'ping', 'pong'])

export function openSocket(url: string, { bearer, headers, path = '/api/v1/sync' }: SyncOptions): WebSocket {
  return new WebSocket(`${url.replace(/^http/, 'ws')}${path}`, {
    headers: { ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }), ...headers },
    perMessageDeflate: false,
  })
}

/** Connects, says hello, and waits for the welcome unless it said nothing. */
export async function listen(url: string, options: SyncOptions): Promise<SyncClient> {
  const socket = openSocket(url, options)
  const messages: SyncServerMessage[] = []
  socket.on('message', (data) => messages.push(syncServerMessage.parse(JSON.parse(data.toString()))))
  socket.on('error', () => {})
  const closed = new Promise<{ code: number; why: string }>((resolve) => {
    socket.on('close', (code, why) => resolve({ code, why: why.toString() }))
  })
  const events = () => messages.filter(({ type }) => !NO_EVENTS.has(type))
  const client: SyncClient = {
    socket,
    messages,
    events,
    closed,
    async told(count, withinMs = 5_000) {
      await until(() => events().length >= count, withinMs)
      return events()
    },
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    close() {
      socket.close()
      return closed
    },
  }
  await once(socket, 'open')
  const { hello = {} } = options
  if (hello === null) return client
  client.say({ type: 'hello', ...hello })
  await Promise.race([until(() => messages.length > 0), closed])
  return client
}

/** The status with which a handshake is refused. */
export function refusedWith(url: string, options: SyncOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(url, options)
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0)
      socket.terminate()
    })
    socket.on('open', () => reject(new Error('it was let in')))
    socket.on('error', () => {})
  })
}
