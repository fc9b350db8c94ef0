// Instances over HTTP, for admins.
import { createRoute } from '@hono/zod-openapi'
import {
  deleteInstanceRoute,
  getInstanceRoute,
  liftTombstoneRoute,
  listInstancesRoute,
  releaseSeatRoute,
  resetTokenRoute,
  setActionRoute,
  setActionsRoute,
} from '../../contract/admin-instances.routes.ts'
import { deleteInstance } from '../../domain/instances/delete-instance.ts'
import type { InstanceView } from '../../domain/instances/instance-view.ts'
import { liftTombstone } from '../../domain/instances/lift-tombstone.ts'
import { getInstance, listInstances } from '../../domain/instances/list-instances.ts'
import { releaseSeat } from '../../domain/instances/release-seat.ts'
import { resetInstanceToken } from '../../domain/instances/reset-instance-token.ts'
import { setAction } from '../../domain/instances/set-action.ts'
import { setActions } from '../../domain/instances/set-actions.ts'
import { previewAction, previewActions } from '../../domain/previews/preview-taking.ts'
import { linkNext } from '../link-next.ts'
import type { Context, Router } from '../routing.ts'
import { presentBulk, presentInstance } from './present-instance.ts'
import { presentPreview } from './present-preview.ts'

export function mountInstanceAdminRoutes(app: Router): void {
  app.openapi(createRoute(listInstancesRoute), async (c) => {
    const page = await listInstances(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(
      page.items.map((row) => shown(c, row)),
      200,
    )
  })
  app.openapi(createRoute(getInstanceRoute), async (c) => {
    return c.json(shown(c, await getInstance(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(setActionRoute), async (c) => {
    const { id } = c.req.valid('param')
    const order = c.req.valid('json')
    if (c.req.valid('query').dry_run) {
      return c.json(presentPreview(await previewAction(c.get('ctx'), id, order)), 200)
    }
    return c.json(shown(c, await setAction(c.get('ctx'), id, order)), 200)
  })
  app.openapi(createRoute(setActionsRoute), async (c) => {
    const order = c.req.valid('json')
    if (c.req.valid('query').dry_run) {
      return c.json(presentPreview(await previewActions(c.get('ctx'), order)), 200)
    }
    return c.json(presentBulk(await setActions(c.get('ctx'), order)), 200)
  })
  app.openapi(createRoute(resetTokenRoute), async (c) => {
    return c.json(shown(c, await resetInstanceToken(c.get('ctx'), c.req.valid('param').id)), 200)
  })
  app.openapi(createRoute(releaseSeatRoute), async (c) => {
    const { id, license_id } = c.req.valid('param')
    return c.json(shown(c, await releaseSeat(c.get('ctx'), id, license_id)), 200)
  })
  app.openapi(createRoute(liftTombstoneRoute), async (c) => {
    const { id, license_id } = c.req.valid('param')
    return c.json(shown(c, await liftTombstone(c.get('ctx'), id, license_id)), 200)
  })
  app.openapi(createRoute(deleteInstanceRoute), async (c) => {
    await deleteInstance(c.get('ctx'), c.req.valid('param').id, c.req.valid('query'))
    return c.body(null, 204)
  })
}

function shown(c: Context, row: InstanceView) {
  const { settings, clock } = c.get('ctx')
  return presentInstance(row, settings.staleAfter, clock.now())
}
