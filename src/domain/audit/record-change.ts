// The one way in which a change of a license, tier, key or action is written down: an audit row and an event row.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { auditLog } from '../../db/schema/index.ts'
import { afterCommit } from '../../db/transaction.ts'
import { uuidv7 } from '../../platform/ids.ts'
import type { Ctx } from '../context.ts'

const EVENT_LOCK = 5_027_010
export const EVENT_CHANNEL = 'leasehold_events'

export type EventType =
  | 'license.changed'
  | 'action.changed'
  | 'keys.changed'
  | 'catalog.changed'
  | 'customer.changed'
  | 'admin.changed'
  | 'instance.changed'

export interface Change {
  /** `license.suspend`, `tier.create`, …: subject kind and verb. */
  action: string
  /** Public id of what changed. */
  subject: string
  event: EventType
  reason?: string | undefined
  details?: Record<string, unknown>
  /** Whom the event concerns. */
  scope?: { productId?: string; licenseId?: string; instanceKey?: string }
}

/**
 * Writes the audit row, then takes the event's number under a lock that is held until commit, so that number order
 * is commit order. Call it last in the transaction. The event also goes to the log, so that what happened after a
 * backup can be replayed (T12). Secrets must not be in `details`.
 */
export async function recordChange(tx: Transaction, ctx: Ctx, change: Change): Promise<void> {
  const at = ctx.clock.now()
  const { productId = null, licenseId = null, instanceKey = null } = change.scope ?? {}
  await tx.insert(auditLog).values({
    id: uuidv7(at, ctx.random),
    at,
    actorKind: ctx.actor.kind,
    actorId: ctx.actor.id,
    action: change.action,
    subject: change.subject,
    reason: change.reason ?? null,
    details: change.details ?? {},
    requestId: ctx.requestId,
  })
  await tx.execute(sql`select pg_advisory_xact_lock(${EVENT_LOCK})`)
  await tx.execute(sql`
    with event as (
      insert into events (number, at, type, product_id, license_id, instance_key, subject)
      select greatest(coalesce(max(number), 0) + 1, ${at.getTime()}::bigint), ${at.toISOString()}::timestamptz,
             ${change.event}::text, ${productId}::uuid, ${licenseId}::uuid, ${instanceKey}::uuid,
             ${change.subject}::text
      from events
      returning number
    )
    select pg_notify(${EVENT_CHANNEL}, number::text) from event`)
  const line = { audit: change.action, subject: change.subject, actor: ctx.actor.id, reason: change.reason }
  afterCommit(tx, () => ctx.log.info({ ...line, details: change.details }, 'change recorded'))
}
