// Public keys over HTTP, for whoever verifies. Always as they are: never out of this process's cache.
import { createRoute } from '@hono/zod-openapi'
import { etag, RETAINED_304_HEADERS } from 'hono/etag'
import { jwksRoute, keySetRoute, signingKeyRoute } from '../../contract/routes.ts'
import { publicJwks, rawPublicKey } from '../../domain/signing/list-keys.ts'
import { currentKeySet } from '../../domain/signing/refresh-key-set.ts'
import type { Router } from '../routing.ts'

const JWKS_HEADERS = {
  'Content-Type': 'application/jwk-set+json',
  'Cache-Control': 'public, max-age=300',
}
const KEY_SET_HEADERS = { 'Content-Type': 'application/jwt', 'Cache-Control': 'public, max-age=60' }

export function mountSigningRoutes(app: Router): void {
  const revalidated = etag({ retainedHeaders: [...RETAINED_304_HEADERS, 'x-request-id'] })
  app.use(jwksRoute.path, revalidated)
  app.use(keySetRoute.path, revalidated)
  app.openapi(createRoute(jwksRoute), async (c) => {
    const { db, clock } = c.get('ctx')
    return c.json(await publicJwks(db, clock.now(), c.req.valid('query').product), 200, JWKS_HEADERS)
  })
  app.openapi(createRoute(keySetRoute), async (c) => {
    return c.text((await currentKeySet(c.get('ctx'))).jws, 200, KEY_SET_HEADERS)
  })
  app.openapi(createRoute(signingKeyRoute), async (c) => {
    const { db, clock } = c.get('ctx')
    const publicKey = await rawPublicKey(db, clock.now(), c.req.valid('query').product)
    return c.json({ public_key: publicKey }, 200)
  })
}
