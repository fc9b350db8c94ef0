// The relay's listening socket. Knows no route.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import { isSocket } from '../platform/live-socket.ts'
import { StartError } from '../platform/start-error.ts'
import type { InstanceSockets } from './live/instance-sockets.ts'

/** How long requests under way may take when the relay stops. */
const LEAVING_MS = 5_000
/** What a client may take to send its headers, and its whole request. */
const HEADERS_MS = 15_000
const REQUEST_MS = 30_000

export interface Listener {
  port: number
  close(): Promise<void>
}

/** @throws StartError when the address cannot be had. */
export async function listen(
  app: Hono,
  sockets: Pick<InstanceSockets, 'upgrade'>,
  { host, port }: { host: string; port: number },
): Promise<Listener> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      shouldUpgradeCallback: isSocket,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
    },
  }) as Server
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    sockets.upgrade(request, socket, head)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new StartError(
          `The relay cannot listen on ${host}, port ${port} (${error.code ?? 'unknown reason'}).`,
          'Set PORT and HOST to an address of this machine that is free.',
          { cause: error },
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      server.closeIdleConnections()
      await Promise.race([once(server, 'close'), new Promise((done) => setTimeout(done, LEAVING_MS).unref())])
      server.closeAllConnections()
    },
  }
}
