// Reads the audit log and the events. Both are written by recordChange alone.
import { and, asc, desc, eq, gt, gte, lt } from 'drizzle-orm'
import type { AuditQuery, EventQuery } from '../../contract/admin-audit.schema.ts'
import { auditLog, events } from '../../db/schema/index.ts'
import { parseRfc3339 } from '../../platform/time.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { decodeCursor, type Page, pageOf, UUID_PART } from '../kernel/paging.ts'

export type AuditRow = typeof auditLog.$inferSelect
export type EventRow = typeof events.$inferSelect

/** Audit entries, newest first; every filter that is given must hold. */
export async function listAudit(ctx: Ctx, query: AuditQuery): Promise<Page<AuditRow>> {
  requireRole(ctx, 'auditor')
  const found = await ctx.db
    .select()
    .from(auditLog)
    .where(
      and(
        query.actor === undefined ? undefined : eq(auditLog.actorId, query.actor),
        query.subject === undefined ? undefined : eq(auditLog.subject, query.subject),
        query.action === undefined ? undefined : eq(auditLog.action, query.action),
        query.from === undefined ? undefined : gte(auditLog.at, parseRfc3339(query.from)),
        query.to === undefined ? undefined : lt(auditLog.at, parseRfc3339(query.to)),
        query.after === undefined ? undefined : lt(auditLog.id, decodeCursor(query.after, UUID_PART)[0]),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(query.limit + 1)
  return pageOf(found, query.limit, (row) => [row.id])
}

/** Events after a number. The cursor of the next page is the number of the last event. */
export async function listEvents(ctx: Ctx, query: EventQuery): Promise<Page<EventRow>> {
  requireRole(ctx, 'auditor')
  const found = await ctx.db
    .select()
    .from(events)
    .where(gt(events.number, query.after))
    .orderBy(asc(events.number))
    .limit(query.limit + 1)
  const items = found.slice(0, query.limit)
  const last = found.length > query.limit ? items.at(-1) : undefined
  return { items, next: last ? String(last.number) : null }
}
