// The listening socket: opened with a message an operator can act on, drained request by request. Knows no route.
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { isSocket } from '../platform/live-socket.ts'
import { StartError } from '../platform/start-error.ts'

export interface Listener {
  readonly port: number
  /** From here on every answer is the last of its connection: clients come back over a new one, elsewhere. */
  sendAway(): void
  /** Sends away, and resolves when no request is under way. */
  drain(): Promise<void>
  /** Closes the socket and whatever is still open. */
  close(): Promise<void>
}

/** Longer than the minute after which common load balancers drop an idle connection, so that they do it, not we. */
const KEEP_ALIVE_MS = 65_000
const HEADERS_MS = 15_000
const REQUEST_MS = 30_000

type Options = Parameters<typeof createAdaptorServer>[0]
type Fetch = Options['fetch']
/** A WebSocket server without a socket of its own. */
export type SocketServer = NonNullable<Options['websocket']>['server']

/** @throws StartError that names the setting when the address cannot be had. */
export async function listen(
  fetch: Fetch,
  address: { host: string; port: number },
  sockets?: SocketServer,
): Promise<Listener> {
  const serverOptions = {
    shouldUpgradeCallback: isSocket,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
  }
  const server = createAdaptorServer({
    fetch,
    serverOptions,
    ...(sockets ? { websocket: { server: sockets } } : {}),
  }) as Server
  const requests = countRequests(server)
  await bound(server, address)
  return {
    port: (server.address() as AddressInfo).port,
    sendAway: requests.sendAway,
    drain: requests.drain,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function bound(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)))
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

function countRequests(server: Server): Pick<Listener, 'sendAway' | 'drain'> {
  const underWay = new Set<ServerResponse>()
  let leaving = false
  let done: (() => void) | undefined
  function closed(this: ServerResponse): void {
    underWay.delete(this)
    if (underWay.size === 0) done?.()
  }
  server.on('request', (_request, response) => {
    underWay.add(response)
    if (leaving) response.shouldKeepAlive = false
    response.on('close', closed)
  })
  const sendAway = () => {
    leaving = true
    for (const response of underWay) response.shouldKeepAlive = false
  }
  return {
    sendAway,
    drain: () =>
      new Promise((resolve) => {
        done = resolve
        sendAway()
        if (underWay.size === 0) resolve()
      }),
  }
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): StartError {
  const options = { cause: error }
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(
        `Port ${port} on ${host} is taken: another process listens there.`,
        'Stop that process, or set PORT to a free port, for example PORT=8082.',
        options,
      )
    case 'EACCES':
      return new StartError(
        `This user may not listen on port ${port}.`,
        'Set PORT to 1024 or above, and put a proxy in front.',
        options,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(
        `This machine has no address ${host}.`,
        'Set HOST to an address of this machine; 127.0.0.1 for this machine alone, 0.0.0.0 for all.',
        options,
      )
    default:
      return new StartError(
        `Cannot listen on ${host}, port ${port} (${error.code ?? 'unknown reason'}).`,
        'Correct HOST and PORT.',
        options,
      )
  }
}
