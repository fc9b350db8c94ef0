// Revokes an API key, a license key or a static license JWT, and ends the sessions that it began when asked to (T8).
import { and, eq, isNull, sql } from 'drizzle-orm'
import type { CredentialSource } from '../../contract/catalog.ts'
import type { Transaction } from '../../db/client.ts'
import { activations, apiKeys, licenseKeys, staticJwts } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { spendBudget } from '../kernel/spend-budget.ts'
import { holdLicense } from '../rights/hold-license.ts'
import { seatsEnded } from '../rights/seat-bounds.ts'

/** Where each kind of credential is kept, and what it is called. */
export const SOURCES = {
  api_key: { table: apiKeys, prefix: 'key', what: 'API key' },
  license_key: { table: licenseKeys, prefix: 'lk', what: 'license key' },
  static_jwt: { table: staticJwts, prefix: 'sjw', what: 'license JWT' },
} as const satisfies Record<CredentialSource, unknown>

/**
 * Repeating it changes nothing, but for sessions: those may be ended later, and are never begun again. A static JWT is
 * its own session. Each counts against the action budget: with nothing to present, what holds a seat of it ends with
 * its lease. @throws Refusal `not_found`, `action_budget_exceeded`
 */
export async function revokeCredential(
  ctx: Ctx,
  source: CredentialSource,
  id: string,
  order: { end_sessions?: boolean; reason?: string | undefined },
): Promise<void> {
  requireRole(ctx, 'operator')
  const { table, prefix, what } = SOURCES[source]
  const uuid = uuidOf(prefix, id, what)
  const ends = source === 'static_jwt' || (order.end_sessions ?? false)
  const now = ctx.clock.now().toISOString()
  await transaction(ctx.db, async (tx) => {
    await holdLicenseOf(tx, table, uuid)
    const [revoked] = await tx.execute<{ license_id: string; product_id: string }>(sql`
      update ${table} as c set revoked_at = coalesce(c.revoked_at, ${now}::timestamptz),
        end_sessions = ${ends}::boolean
      from licenses l
      where c.id = ${uuid}::uuid and l.id = c.license_id
        and (c.revoked_at is null or (${ends}::boolean and not c.end_sessions))
      returning c.license_id, l.product_id`)
    if (!revoked) {
      const known = await tx.execute(sql`select from ${table} where id = ${uuid}::uuid`)
      return known.length === 0 ? notFound(what) : undefined
    }
    if (ends) {
      const ended = await tx
        .update(activations)
        .set({ endedAt: ctx.clock.now(), endedBy: 'admin' })
        .where(
          and(
            eq(activations.licenseId, revoked.license_id),
            eq(activations.credentialSource, source),
            eq(activations.credentialId, uuid),
            isNull(activations.endedAt),
          ),
        )
        .returning({ leaseEndsAt: activations.leaseEndsAt })
      const live = ended.filter(({ leaseEndsAt }) => leaseEndsAt > ctx.clock.now())
      await seatsEnded(tx, revoked.license_id, live.length)
    }
    await spendBudget(tx, ctx, 1)
    await recordChange(tx, ctx, {
      action: `${source}.revoke`,
      subject: id,
      event: 'license.changed',
      reason: order.reason,
      details: { end_sessions: ends },
      scope: { productId: revoked.product_id, licenseId: revoked.license_id },
    })
  })
}

/** No session of the license begins or goes on while its credential is revoked and its seats are ended. */
async function holdLicenseOf(
  tx: Transaction,
  table: typeof apiKeys | typeof licenseKeys | typeof staticJwts,
  id: string,
): Promise<void> {
  const [found] = await tx.select({ licenseId: table.licenseId }).from(table).where(eq(table.id, id))
  if (found) await holdLicense(tx, found.licenseId, 'no key update')
}
