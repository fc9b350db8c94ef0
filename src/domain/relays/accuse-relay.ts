// The finding that two copies of a relay are running. Accuses, refuses nothing (T11). A relay is no instance: in the
// table of anomalies its own id stands where the instance's key does, and the product is that of the license concerned.
import { sql } from 'drizzle-orm'
import { ANOMALY_SEVERITY } from '../../contract/anomalies.ts'
import type { Transaction } from '../../db/client.ts'
import { publicId } from '../../platform/ids.ts'
import { recordAnomalies } from '../anomalies/record-anomalies.ts'
import type { CloneEvidence } from '../fleet/clone-rule.ts'
import type { Ctx } from '../kernel/context.ts'
import { countedSeats } from '../rights/allotted-seats.ts'

/** Licenses that a piece of evidence lists at most. */
const MOST_LISTED = 20

/**
 * Raises `relay_cloned`, or its count, when leases run beyond the seats that the relay was allotted, or when its own
 * chain shows two copies (T5). One relay that keeps to its allotment never gives out more, whatever is lost or late.
 */
export async function accuseRelay(
  tx: Transaction,
  ctx: Ctx,
  relayId: string,
  chain: CloneEvidence | null,
): Promise<void> {
  const now = ctx.clock.now()
  const rows = await tx.execute<{ license: string; product: string; seats: string; live: string }>(sql`
    select a.license_id as license, licenses.product_id as product, ${countedSeats(now)} as seats,
      (select count(*) from relay_leases l where l.relay_id = a.relay_id and l.license_id = a.license_id
        and not l.released and l.expires_at > ${now.toISOString()}::timestamptz) as live
    from relay_allotments a join licenses on licenses.id = a.license_id
    where a.relay_id = ${relayId}::uuid order by a.license_id`)
  const over = rows.filter(({ seats, live }) => Number(live) > Number(seats))
  const [concerned] = over.length > 0 ? over : chain ? rows : []
  if (!concerned) return
  await recordAnomalies(tx, ctx, [
    {
      instanceKey: relayId,
      productId: concerned.product,
      type: 'relay_cloned',
      severity: ANOMALY_SEVERITY.relay_cloned,
      count: 1,
      firstSeenAt: now,
      lastSeenAt: now,
      evidence: {
        relay_id: publicId('rly', relayId),
        ...(over.length > 0
          ? {
              licenses: over.slice(0, MOST_LISTED).map(({ license, seats, live }) => ({
                license_id: publicId('lic', license),
                seats: Number(seats),
                live_leases: Number(live),
              })),
            }
          : {}),
        ...(chain ?? {}),
      },
      proof: 'relay',
    },
  ])
}
