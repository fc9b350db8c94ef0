// The audit log and the events over HTTP.
import { createRoute } from '@hono/zod-openapi'
import { listAuditRoute, listEventsRoute } from '../../contract/admin-audit.routes.ts'
import type { AuditEntry, EventAnswer } from '../../contract/admin-audit.schema.ts'
import { type AuditRow, type EventRow, listAudit, listEvents } from '../../domain/audit/list-audit.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'
import { linkNext } from '../link-next.ts'
import type { Router } from '../routing.ts'

export function mountAuditRoutes(app: Router): void {
  app.openapi(createRoute(listAuditRoute), async (c) => {
    const page = await listAudit(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentEntry), 200)
  })
  app.openapi(createRoute(listEventsRoute), async (c) => {
    const page = await listEvents(c.get('ctx'), c.req.valid('query'))
    linkNext(c, page)
    return c.json(page.items.map(presentEvent), 200)
  })
}

const presentEntry = (row: AuditRow): AuditEntry => ({
  id: publicId('aud', row.id),
  at: rfc3339(row.at),
  actor_kind: row.actorKind,
  actor: row.actorId,
  action: row.action,
  subject: row.subject,
  reason: row.reason,
  details: row.details,
  request_id: row.requestId,
})

const presentEvent = (row: EventRow): EventAnswer => ({
  number: row.number,
  at: rfc3339(row.at),
  type: row.type,
  subject: row.subject,
  product_id: row.productId && publicId('prd', row.productId),
  license_id: row.licenseId && publicId('lic', row.licenseId),
  instance: row.instanceKey && publicId('ins', row.instanceKey),
})
