// What Node knows of a request and its answer beside the Request and the Response that Hono works with. Reaching for it
// spares making those; other runtimes have none of it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from './routing.ts'

export interface NodeRequest {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/** Null on other runtimes, and for a request that becomes a WebSocket. */
export function nodeRequestOf(c: Context): NodeRequest | null {
  const env = c.env as Partial<NodeRequest> | undefined
  return env?.incoming && env.outgoing ? (env as NodeRequest) : null
}

/** Sets a header that the answer has unless its own route sets another. Once for each name, before the answer is sent. */
export function presetHeader(c: Context, name: string, value: string): void {
  const node = nodeRequestOf(c)
  if (node) node.outgoing.setHeader(name, value)
  else c.header(name, value)
}

/** Whether a body may follow the head: whether one does is known only by reading. */
export function mayHaveBody(c: Context): boolean {
  return nodeRequestOf(c) ? !BODILESS.has(c.req.method) : c.req.raw.body !== null
}

const BODILESS = new Set(['GET', 'HEAD', 'TRACE'])

/** Tells at any time whether the caller has closed the connection: nobody waits for the answer. */
export function goneCheck(c: Context): () => boolean {
  const node = nodeRequestOf(c)
  if (!node) return () => c.req.raw.signal.aborted
  const { socket } = node.incoming
  return () => socket.destroyed
}
