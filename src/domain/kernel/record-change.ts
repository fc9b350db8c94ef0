// The one way in which a change of a license, tier, key or action is written down: an audit row and an event row.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { afterCommit } from '../../db/transaction.ts'
import { uuidv7 } from '../../platform/ids.ts'
import type { Ctx } from './context.ts'

const EVENT_LOCK = 5_027_010
export const EVENT_CHANNEL = 'leasehold_events'

export type EventType =
  | 'license.changed'
  | 'license.expiring'
  | 'license.expired'
  | 'license.grace_ended'
  | 'action.changed'
  | 'keys.changed'
  | 'catalog.changed'
  | 'customer.changed'
  | 'admin.changed'
  | 'instance.changed'
  | 'relay.changed'
  /** Written by the database itself, for many rows of reference data that were changed by hand or imported. */
  | 'reference.changed'

export interface Change {
  /** `license.suspend`, `tier.create`, …: subject kind and verb. */
  action: string
  /** Public id of what changed. */
  subject: string
  event: EventType
  reason?: string | undefined
  details?: Record<string, unknown>
  /** Whom the event concerns. */
  scope?: { productId?: string; licenseId?: string; instanceKey?: string; customerId?: string }
}

/**
 * Writes the audit row, then takes the event's number under a lock that is held until commit, so that number order
 * is commit order. Call it last in the transaction. The event also goes to the log, so that what happened after a
 * backup can be replayed (T12). Secrets must not be in `details`.
 */
export async function recordChange(tx: Transaction, ctx: Ctx, change: Change): Promise<void> {
  return recordChanges(tx, ctx, [change])
}

/** Many changes of one transaction, each with its own audit row and event, in three statements. */
export async function recordChanges(tx: Transaction, ctx: Ctx, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return
  const at = ctx.clock.now()
  await tx.execute(sql`
    insert into audit_log (id, at, actor_kind, actor_id, action, subject, reason, details, request_id)
    select c.id, ${at.toISOString()}::timestamptz, ${ctx.actor.kind}::text, ${ctx.actor.id}::text, c.action,
      c.subject, c.reason, c.details, ${ctx.requestId}::text
    from jsonb_to_recordset(${JSON.stringify(
      changes.map(({ action, subject, reason, details = {} }) => ({
        id: uuidv7(at, ctx.random),
        action,
        subject,
        reason,
        details,
      })),
    )}::jsonb) as c(id uuid, action text, subject text, reason text, details jsonb)`)
  await tx.execute(sql`select pg_advisory_xact_lock(${EVENT_LOCK})`)
  await tx.execute(sql`
    with event as (
      insert into events (number, at, type, product_id, license_id, instance_key, customer_id, subject)
      select greatest(coalesce((select max(number) from events), 0), ${at.getTime()}::bigint - 1) + c.n,
             ${at.toISOString()}::timestamptz, c.event, c."productId", c."licenseId", c."instanceKey",
             c."customerId", c.subject
      from rows from (
        jsonb_to_recordset(${JSON.stringify(
          changes.map(({ event, subject, scope = {} }) => ({ event, subject, ...scope })),
        )}::jsonb) as (event text, subject text, "productId" uuid, "licenseId" uuid, "instanceKey" uuid, "customerId" uuid)
      ) with ordinality as c(event, subject, "productId", "licenseId", "instanceKey", "customerId", n)
      returning number
    )
    select pg_notify(${EVENT_CHANNEL}, number::text) from event order by number`)
  for (const { action: audit, subject, reason, details } of changes) {
    const line = { audit, subject, actor: ctx.actor.id, reason, details }
    afterCommit(tx, () => ctx.log.info(line, 'change recorded'))
  }
}
