// Finds that a product's whole fleet has fallen silent, and says whether its instances may be accused one by one. About
// no instance: in the table of anomalies the product's id stands where the instance's key does.
import { sql } from 'drizzle-orm'
import { ANOMALY_SEVERITY } from '../../contract/anomalies.ts'
import type { Transaction } from '../../db/client.ts'
import { transaction } from '../../db/transaction.ts'
import { addSeconds, fromUnixSeconds, rfc3339 } from '../../platform/time.ts'
import type { Ctx } from '../kernel/context.ts'
import { type FleetHearing, judgeFleet, type KnownSilence } from './fleet-silence.ts'
import { recordAnomalies } from './record-anomalies.ts'

/** Writes down or closes the finding about the fleet, and returns whether single instances may be found silent. */
export async function mayAccuse(ctx: Ctx, productId: string): Promise<boolean> {
  const { staleAfter } = ctx.settings
  return transaction(ctx.db, async (tx) => {
    const hearing = await readHearing(tx, ctx, productId)
    const known = await readKnown(tx, productId)
    const verdict = judgeFleet(hearing, known, staleAfter, ctx.clock.now())
    if (verdict.open) await open(tx, ctx, productId, hearing)
    if (verdict.close) await close(tx, ctx, productId)
    return verdict.accuse
  })
}

/** From the sums: they cost the same for any number of instances. */
async function readHearing(tx: Transaction, ctx: Ctx, productId: string): Promise<FleetHearing> {
  const since = addSeconds(ctx.clock.now(), -ctx.settings.staleAfter / 2)
  const [row] = await tx.execute<{ active: string; silent: string; recent: string }>(sql`
    select coalesce(sum(instances), 0) as active,
      coalesce(sum(instances) filter (where minute >= fleet_minute(${since.toISOString()}::timestamptz)), 0) as recent,
      (select count(*) from instances
        where silent and deactivated_at is null and product_id = ${productId}::uuid) as silent
    from fleet_ages where product_id = ${productId}::uuid`)
  return { alive: Math.max(0, Number(row?.active) - Number(row?.silent)), recent: Number(row?.recent) }
}

async function readKnown(tx: Transaction, productId: string): Promise<KnownSilence | null> {
  const [row] = await tx.execute<{ alive: string | null; resolved: string | null; by: string | null }>(sql`
    select evidence ->> 'alive' as alive, extract(epoch from resolved_at) as resolved, resolved_by as by
    from anomalies where instance_key = ${productId}::uuid and type = 'fleet_silent'
    order by resolved_at desc nulls first limit 1`)
  if (!row) return null
  return {
    alive: Number(row.alive),
    resolvedAt: row.resolved === null ? null : fromUnixSeconds(Number(row.resolved)),
    byHand: row.by !== null && row.by !== 'system',
  }
}

async function open(tx: Transaction, ctx: Ctx, productId: string, hearing: FleetHearing): Promise<void> {
  const now = ctx.clock.now()
  const [last] = await tx.execute<{ minute: string | null }>(sql`
    select max(minute) as minute from fleet_ages where product_id = ${productId}::uuid and instances > 0`)
  await recordAnomalies(tx, ctx, [
    {
      instanceKey: productId,
      productId,
      type: 'fleet_silent',
      severity: ANOMALY_SEVERITY.fleet_silent,
      count: 1,
      firstSeenAt: now,
      lastSeenAt: now,
      evidence: {
        alive: hearing.alive,
        heard: hearing.recent,
        within_hours: ctx.settings.staleAfter / 2 / 3600,
        last_heard_at: last?.minute == null ? null : rfc3339(fromUnixSeconds(Number(last.minute) * 60)),
      },
      proof: 'none',
    },
  ])
}

async function close(tx: Transaction, ctx: Ctx, productId: string): Promise<void> {
  await tx.execute(sql`
    update anomalies set resolved_at = ${ctx.clock.now().toISOString()}::timestamptz, resolved_by = 'system',
      note = 'heard again'
    where instance_key = ${productId}::uuid and type = 'fleet_silent' and resolved_at is null`)
}
