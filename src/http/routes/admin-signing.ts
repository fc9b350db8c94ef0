// Signing keys and key sets over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  draftKeySetRoute,
  importKeySetRoute,
  listSigningKeysRoute,
  revokeSigningKeyRoute,
  rotateSigningKeyRoute,
} from '../../contract/admin-signing.routes.ts'
import { previewKeyRevocation } from '../../domain/previews/preview-revocation.ts'
import { draftForRoot, importKeySet } from '../../domain/signing/import-key-set.ts'
import { listSigningKeys } from '../../domain/signing/list-keys.ts'
import { revokeSigningKey } from '../../domain/signing/revoke-key.ts'
import { rotateSigningKey } from '../../domain/signing/rotate-key.ts'
import { presentSigningKey } from '../../domain/signing/signing-key.ts'
import { rfc3339 } from '../../platform/time.ts'
import { linkNext } from '../link-next.ts'
import { optionalBody } from '../optional-body.ts'
import type { Router } from '../routing.ts'
import { presentRevocationPreview } from './present-revocation-preview.ts'

export function mountSigningAdminRoutes(app: Router): void {
  app.openapi(createRoute(listSigningKeysRoute), async (c) => {
    const ctx = c.get('ctx')
    const page = await listSigningKeys(ctx, c.req.valid('query'))
    linkNext(c, page)
    const now = ctx.clock.now()
    return c.json(
      page.items.map((row) => presentSigningKey(row, now)),
      200,
    )
  })
  app.openapi(createRoute(rotateSigningKeyRoute), async (c) => {
    const ctx = c.get('ctx')
    const { key, replaces, keySet } = await rotateSigningKey(ctx, c.req.valid('json'))
    return c.json({ ...presentSigningKey(key, ctx.clock.now()), replaces, key_set: keySet }, 201)
  })
  app.openapi(createRoute({ ...revokeSigningKeyRoute, middleware: optionalBody }), async (c) => {
    const ctx = c.get('ctx')
    const { kid } = c.req.valid('param')
    if (c.req.valid('query').dry_run) {
      return c.json(presentRevocationPreview(await previewKeyRevocation(ctx, kid), ctx.clock.now()), 200)
    }
    const { key, active, keySet } = await revokeSigningKey(ctx, kid, c.req.valid('json'))
    return c.json({ ...presentSigningKey(key, ctx.clock.now()), active, key_set: keySet }, 200)
  })
  app.openapi(createRoute(draftKeySetRoute), async (c) => {
    return c.json(await draftForRoot(c.get('ctx')), 200)
  })
  app.openapi(createRoute(importKeySetRoute), async (c) => {
    const { number, issuedAt, expiresAt } = await importKeySet(c.get('ctx'), c.req.valid('json').jws)
    return c.json({ number, issued_at: rfc3339(issuedAt), expires_at: rfc3339(expiresAt) }, 201)
  })
}
