// Licenses over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  changeLicenseRoute,
  getLicenseRoute,
  issueLicenseRoute,
  listLicensesRoute,
  reinstateLicenseRoute,
  renewLicenseRoute,
  revokeLicenseRoute,
  suspendLicenseRoute,
} from '../../contract/admin-licenses.routes.ts'
import { changeLicense } from '../../domain/licenses/change-license.ts'
import { issueLicense } from '../../domain/licenses/issue-license.ts'
import type { LicenseView } from '../../domain/licenses/license-view.ts'
import { getLicense, listLicenses } from '../../domain/licenses/list-licenses.ts'
import { reinstateLicense } from '../../domain/licenses/reinstate-license.ts'
import { renewLicense } from '../../domain/licenses/renew-license.ts'
import { revokeLicense } from '../../domain/licenses/revoke-license.ts'
import { suspendLicense } from '../../domain/licenses/suspend-license.ts'
import { previewLicense } from '../../domain/previews/preview-taking.ts'
import { linkNext } from '../link-next.ts'
import { optionalBody } from '../optional-body.ts'
import { type Context, located, type Router } from '../routing.ts'
import { mountCredentialRoutes } from './credentials.ts'
import { presentLicense } from './present-license.ts'
import { presentPreview } from './present-preview.ts'

export function mountLicenseRoutes(app: Router): void {
  app.openapi(createRoute(issueLicenseRoute), async (c) => {
    return c.json(located(c, shown(c, await issueLicense(c.get('ctx'), c.req.valid('json')))), 201)
  })
  app.openapi(createRoute(listLicensesRoute), async (c) => {
    const page = await listLicenses(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(
      page.items.map((license) => shown(c, license)),
      200,
    )
  })
  app.openapi(createRoute(getLicenseRoute), async (c) => {
    return c.json(shown(c, await getLicense(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(changeLicenseRoute), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(shown(c, await changeLicense(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute({ ...suspendLicenseRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    if (c.req.valid('query').dry_run) {
      return c.json(presentPreview(await previewLicense(c.get('ctx'), id, 'suspend')), 200)
    }
    return c.json(shown(c, await suspendLicense(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute({ ...reinstateLicenseRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(shown(c, await reinstateLicense(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute({ ...revokeLicenseRoute, middleware: optionalBody }), async (c) => {
    const { id } = c.req.valid('param')
    if (c.req.valid('query').dry_run) {
      return c.json(presentPreview(await previewLicense(c.get('ctx'), id, 'revoke')), 200)
    }
    return c.json(shown(c, await revokeLicense(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  app.openapi(createRoute(renewLicenseRoute), async (c) => {
    const { id } = c.req.valid('param')
    return c.json(shown(c, await renewLicense(c.get('ctx'), id, c.req.valid('json'))), 200)
  })
  mountCredentialRoutes(app)
}

const shown = (c: Context, license: LicenseView) => presentLicense(license, c.get('ctx').clock.now())
