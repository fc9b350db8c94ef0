// API keys, license keys and static license JWTs over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  issueApiKeyRoute,
  issueLicenseKeyRoute,
  issueStaticJwtRoute,
  listApiKeysRoute,
  listLicenseKeysRoute,
  listStaticJwtsRoute,
  revokeApiKeyRoute,
  revokeLicenseKeyRoute,
  revokeStaticJwtRoute,
  rotateApiKeyRoute,
  rotateLicenseKeyRoute,
} from '../../contract/admin-credentials.routes.ts'
import { issueApiKey } from '../../domain/licenses/issue-api-key.ts'
import { issueLicenseKey } from '../../domain/licenses/issue-license-key.ts'
import { issueStaticJwt } from '../../domain/licenses/issue-static-jwt.ts'
import {
  getApiKey,
  getLicenseKey,
  getStaticJwt,
  listApiKeys,
  listLicenseKeys,
  listStaticJwts,
} from '../../domain/licenses/list-credentials.ts'
import { revokeCredential } from '../../domain/licenses/revoke-credential.ts'
import { rotateApiKey } from '../../domain/licenses/rotate-api-key.ts'
import { rotateLicenseKey } from '../../domain/licenses/rotate-license-key.ts'
import { previewCredential } from '../../domain/previews/preview-taking.ts'
import { linkNext } from '../link-next.ts'
import { optionalBody } from '../optional-body.ts'
import type { Context, Router } from '../routing.ts'
import { presentApiKey, presentLicenseKey, presentStaticJwt } from './present-credential.ts'
import { presentPreview } from './present-preview.ts'

const nowOf = (c: Context): Date => c.get('ctx').clock.now()

export function mountCredentialRoutes(app: Router): void {
  mountApiKeyRoutes(app)
  mountLicenseKeyRoutes(app)
  mountStaticJwtRoutes(app)
}

function mountApiKeyRoutes(app: Router): void {
  app.openapi(createRoute(issueApiKeyRoute), async (c) => {
    const { row, secret } = await issueApiKey(c.get('ctx'), c.req.valid('json'))
    return c.json({ ...presentApiKey(row, nowOf(c)), api_key: secret }, 201)
  })
  app.openapi(createRoute(listApiKeysRoute), async (c) => {
    const page = await listApiKeys(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(
      page.items.map((row) => presentApiKey(row, nowOf(c))),
      200,
    )
  })
  app.openapi(createRoute({ ...rotateApiKeyRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    const { row, secret } = await rotateApiKey(c.get('ctx'), id, c.req.valid('json'))
    return c.json({ ...presentApiKey(row, nowOf(c)), api_key: secret, replaces: id }, 201)
  })
  app.openapi(createRoute({ ...revokeApiKeyRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    const order = c.req.valid('json')
    if (c.req.valid('query').dry_run) {
      return c.json(presentPreview(await previewCredential(c.get('ctx'), 'api_key', id, order)), 200)
    }
    await revokeCredential(c.get('ctx'), 'api_key', id, order)
    return c.json(presentApiKey(await getApiKey(c.get('ctx'), id), nowOf(c)), 200)
  })
}

function mountLicenseKeyRoutes(app: Router): void {
  app.openapi(createRoute(issueLicenseKeyRoute), async (c) => {
    const { row, secret } = await issueLicenseKey(c.get('ctx'), c.req.valid('json'))
    return c.json({ ...presentLicenseKey(row, nowOf(c)), license_key: secret }, 201)
  })
  app.openapi(createRoute(listLicenseKeysRoute), async (c) => {
    const page = await listLicenseKeys(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(
      page.items.map((row) => presentLicenseKey(row, nowOf(c))),
      200,
    )
  })
  app.openapi(createRoute({ ...rotateLicenseKeyRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    const { row, secret } = await rotateLicenseKey(c.get('ctx'), id, c.req.valid('json'))
    return c.json({ ...presentLicenseKey(row, nowOf(c)), license_key: secret, replaces: id }, 201)
  })
  app.openapi(createRoute({ ...revokeLicenseKeyRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    const order = c.req.valid('json')
    if (c.req.valid('query').dry_run) {
      return c.json(presentPreview(await previewCredential(c.get('ctx'), 'license_key', id, order)), 200)
    }
    await revokeCredential(c.get('ctx'), 'license_key', id, order)
    return c.json(presentLicenseKey(await getLicenseKey(c.get('ctx'), id), nowOf(c)), 200)
  })
}

function mountStaticJwtRoutes(app: Router): void {
  app.openapi(createRoute(issueStaticJwtRoute), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(await issueStaticJwt(c.get('ctx'), id, c.req.valid('json')), 201)
  })
  app.openapi(createRoute(listStaticJwtsRoute), async (c) => {
    const page = await listStaticJwts(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(
      page.items.map((row) => presentStaticJwt(row, nowOf(c))),
      200,
    )
  })
  app.openapi(createRoute({ ...revokeStaticJwtRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    const order = c.req.valid('json')
    if (c.req.valid('query').dry_run) {
      return c.json(presentPreview(await previewCredential(c.get('ctx'), 'static_jwt', id, order)), 200)
    }
    await revokeCredential(c.get('ctx'), 'static_jwt', id, order)
    return c.json(presentStaticJwt(await getStaticJwt(c.get('ctx'), id), nowOf(c)), 200)
  })
}
