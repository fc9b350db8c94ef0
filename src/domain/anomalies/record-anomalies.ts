// Writes findings down: at most one open row per instance and type, a repeated sighting raises its count. Judges
// nothing: what is a finding is decided in rules.ts.
import { sql } from 'drizzle-orm'
import type { AnomalySeverity, AnomalyType } from '../../contract/anomalies.ts'
import type { Proof } from '../../contract/catalog.ts'
import type { Transaction } from '../../db/client.ts'
import { uuidv7 } from '../../platform/ids.ts'
import type { Ctx } from '../kernel/context.ts'

/** All sightings of one type at one instance that are written together. */
export interface AnomalySighting {
  instanceKey: string
  productId: string
  type: AnomalyType
  severity: AnomalySeverity
  count: number
  firstSeenAt: Date
  lastSeenAt: Date
  /** Of the latest sighting; no secrets. */
  evidence: Record<string, unknown>
  proof: Proof
}

const RECORD = `
  insert into anomalies as known (instance_key, id, product_id, type, severity, count, first_seen_at, last_seen_at,
    evidence, proof)
  select s."instanceKey", s.id, s."productId", s.type, s.severity, s.count, s."firstSeenAt", s."lastSeenAt",
    s.evidence, s.proof
  from jsonb_to_recordset($1::jsonb) as s(id uuid, "instanceKey" uuid, "productId" uuid, type text, severity text,
    count int, "firstSeenAt" timestamptz, "lastSeenAt" timestamptz, evidence jsonb, proof text)
  order by s."instanceKey", s.type
  on conflict (instance_key, type) where resolved_at is null do update set
    count = least(known.count::bigint + excluded.count, 2147483647)::int,
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
    severity = case when known.proof <> 'none' and excluded.proof = 'none'
      then known.severity else excluded.severity end,
    evidence = case when known.proof <> 'none' and excluded.proof = 'none'
      then known.evidence else excluded.evidence end,
    proof = case when known.proof <> 'none' and excluded.proof = 'none' then known.proof else excluded.proof end`

/**
 * One statement for any number of sightings, in (instance_key, type) order, so that two batches cannot deadlock.
 * `sightings` holds each pair of instance and type once. An unproven sighting counts, but what a proven one showed
 * stands (T11).
 */
export function anomalyStatement(
  { clock, random }: Pick<Ctx, 'clock' | 'random'>,
  sightings: readonly AnomalySighting[],
): { text: string; parameters: [string] } {
  const now = clock.now()
  const rows = sightings.map((sighting) => ({ id: uuidv7(now, random), ...sighting }))
  return { text: RECORD, parameters: [JSON.stringify(rows)] }
}

/** Writes the sightings of a transaction that is no batch. */
export async function recordAnomalies(
  tx: Transaction,
  ctx: Ctx,
  sightings: readonly AnomalySighting[],
): Promise<void> {
  if (sightings.length === 0) return
  const { text, parameters } = anomalyStatement(ctx, sightings)
  const [before = '', after = ''] = text.split('$1')
  await tx.execute(sql`${sql.raw(before)}${parameters[0]}${sql.raw(after)}`)
}
