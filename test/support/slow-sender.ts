// A sender that announces a body and is slow to send it, over a socket of its own.
import { once } from 'node:events'
import { connect } from 'node:net'

export interface SlowSender {
  /** Status and head of the answer, once there is one. */
  readonly answer: Promise<{ status: number; head: string }>
  /** Whether an answer has come. */
  readonly isAnswered: () => boolean
  close(): void
}

/** Resolves once the headers and the first bytes of the body are sent. */
export async function slowSender(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<SlowSender> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  let head = ''
  const { promise, resolve } = Promise.withResolvers<{ status: number; head: string }>()
  socket.on('data', (chunk) => {
    head += chunk.toString('latin1')
    const status = /^HTTP\/1\.1 (\d+)/.exec(head)?.[1]
    if (status !== undefined && head.includes('\r\n\r\n')) resolve({ status: Number(status), head })
  })
  const lines = Object.entries({
    Host: hostname,
    'Content-Type': 'application/json',
    'Content-Length': '5000',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n{"instance_id":`)
  return { answer: promise, isAnswered: () => head !== '', close: () => socket.destroy() }
}
