// Writes what a batch of reports came to: one statement a table, rows in key order.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../../db/client.ts'
import type { instances, reports } from '../../../db/schema/index.ts'
import type { Stream } from './count-report.ts'
import { formatSequenceSet } from './sequence-set.ts'

export type ReportRow = typeof reports.$inferInsert

export async function insertReports(tx: Transaction, rows: readonly ReportRow[]): Promise<void> {
  if (rows.length === 0) return
  await tx.execute(sql`
    insert into reports (instance_key, received_on, id, product_id, license_id, kind, proof, received_at,
      observed_at, boot_id, seq, version, tier, metrics, increases, features)
    select r."instanceKey", r."receivedOn", r.id, r."productId", r."licenseId", r.kind, r.proof, r."receivedAt",
      r."observedAt", r."bootId", r.seq, r.version, r.tier, r.metrics, r.increases,
      array(select jsonb_array_elements_text(r.features))
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r("instanceKey" uuid, "receivedOn" date, id uuid,
      "productId" uuid, "licenseId" uuid, kind text, proof text, "receivedAt" timestamptz,
      "observedAt" timestamptz, "bootId" uuid, seq bigint, version text, tier text, metrics jsonb,
      increases jsonb, features jsonb)
    order by r."instanceKey", r.id`)
}

export interface StreamRow {
  instanceKey: string
  bootId: string
  stream: Stream
}

export async function upsertStreams(tx: Transaction, rows: readonly StreamRow[], now: Date): Promise<void> {
  if (rows.length === 0) return
  const flat = rows.map(({ instanceKey, bootId, stream }) => ({
    instanceKey,
    bootId,
    lastSeq: stream.lastSeq,
    seen: formatSequenceSet(stream.seen),
    counters: stream.counters,
  }))
  await tx.execute(sql`
    insert into report_streams (instance_key, boot_id, last_seq, seen, counters, updated_at)
    select s."instanceKey", s."bootId", s."lastSeq", s.seen, s.counters, ${now.toISOString()}::timestamptz
    from jsonb_to_recordset(${JSON.stringify(flat)}::jsonb)
      as s("instanceKey" uuid, "bootId" uuid, "lastSeq" bigint, seen int8multirange, counters jsonb)
    order by s."instanceKey", s."bootId"
    on conflict (instance_key, boot_id) do update set last_seq = excluded.last_seq, seen = excluded.seen,
      counters = excluded.counters, updated_at = excluded.updated_at`)
}

/** The whole of what reports change in an instance's row, with the values that stay. */
export type InstanceUpdate = Pick<
  typeof instances.$inferSelect,
  | 'instanceKey'
  | 'version'
  | 'reportedTier'
  | 'hasValidEntitlement'
  | 'metrics'
  | 'featureUsage'
  | 'integrityHash'
  | 'entitlementMismatchAt'
  | 'lastSeenAt'
  | 'deactivatedAt'
  | 'actionDeliveredAt'
  | 'actionAcknowledgedAt'
  | 'lineage'
  | 'tokenPresentedAt'
  | 'proof'
>

/** The rows are locked by the caller. */
export async function updateInstances(tx: Transaction, rows: readonly InstanceUpdate[]): Promise<void> {
  if (rows.length === 0) return
  await tx.execute(sql`
    update instances i set version = u.version, reported_tier = u."reportedTier",
      has_valid_entitlement = u."hasValidEntitlement", metrics = u.metrics,
      feature_usage = array(select jsonb_array_elements_text(u."featureUsage")),
      integrity_hash = u."integrityHash", entitlement_mismatch_at = u."entitlementMismatchAt",
      last_seen_at = u."lastSeenAt", deactivated_at = u."deactivatedAt",
      action_delivered_at = u."actionDeliveredAt", action_acknowledged_at = u."actionAcknowledgedAt",
      lineage = nullif(u.lineage, 'null'::jsonb), token_presented_at = u."tokenPresentedAt", proof = u.proof
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as u("instanceKey" uuid, version text,
      "reportedTier" text, "hasValidEntitlement" boolean, metrics jsonb, "featureUsage" jsonb,
      "integrityHash" text, "entitlementMismatchAt" timestamptz, "lastSeenAt" timestamptz,
      "deactivatedAt" timestamptz, "actionDeliveredAt" timestamptz, "actionAcknowledgedAt" timestamptz,
      lineage jsonb, "tokenPresentedAt" timestamptz, proof text)
    where i.instance_key = u."instanceKey"`)
}
