// Node's own WebSocket (Node 22 and later), kept from keeping the process alive.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { HostSocket } from './port.ts'

/** Told by Node's HTTP client just before it writes a request; its WebSocket has no `unref` of its own. */
const SENDING = 'undici:client:sendHeaders'

interface Sending {
  request?: { upgrade?: unknown; origin?: unknown; path?: unknown }
  socket?: { unref?(): unknown }
}

export const hasNodeSocket = (): boolean => typeof globalThis.WebSocket === 'function'

/** @throws SyntaxError for an address that is none */
export function openNodeSocket(url: string): HostSocket {
  const address = url.replace(/^ws/, 'http')
  const onSending = (message: unknown) => {
    const { request, socket } = message as Sending
    if (request?.upgrade === 'websocket' && `${request.origin}${request.path}` === address) socket?.unref?.()
  }
  subscribe(SENDING, onSending)
  const end = () => unsubscribe(SENDING, onSending)
  const opened = new WebSocket(url)
  for (const type of ['open', 'close', 'error'] as const) opened.addEventListener(type, end)
  return opened
}
