// The way into the live channel: what is refused before a socket is opened. What happens on it is the server's.
import { createRoute } from '@hono/zod-openapi'
import { syncRoute } from '../contract/server.routes.ts'
import { SYNC_PATH } from '../contract/sync.ts'
import { Refusal } from '../domain/kernel/context.ts'
import { authenticatePeer } from '../domain/sync/authenticate-peer.ts'
import type { Peer } from '../domain/sync/peer.ts'
import { bearerOf, type Context, type Router } from './routing.ts'

/** Opens the socket. `peer` is null where the credential comes in the first message. */
export type SyncDoor = (c: Context, peer: Peer | null, network: string) => Promise<Response>

/** A credential in a URL ends in logs, and a browser sends cookies and origins of its own accord: neither gets in. */
export function mountSync(app: Router, door: SyncDoor): void {
  // Described without app.openapi, which knows no answer but HTTP's.
  app.openAPIRegistry.registerPath(createRoute(syncRoute))
  app.get(SYNC_PATH, async (c) => {
    if (new URL(c.req.url).search !== '') {
      throw new Refusal('query_refused', 'The live channel takes no query.', {
        fix: 'Send the credential in the Authorization header or in the first message.',
      })
    }
    if (c.req.header('Origin') !== undefined) {
      throw new Refusal('origin_refused', 'The live channel is not for web pages.', {
        fix: 'Connect from the product itself, without an Origin header.',
      })
    }
    if (c.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
      throw new Refusal('upgrade_required', 'This is a WebSocket.', {
        headers: { Upgrade: 'websocket', Connection: 'Upgrade' },
        fix: 'Open it with a WebSocket client.',
      })
    }
    const bearer = bearerOf(c)
    const peer = bearer && (await authenticatePeer(c.get('ctx'), bearer))
    return door(c, peer, c.get('network'))
  })
}
