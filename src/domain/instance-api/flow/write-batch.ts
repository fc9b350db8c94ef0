// The statements with which a batch writes what it decided, one for each table, rows in key order.
import { violates } from '../../../db/errors.ts'
import type { PipelinedTransaction } from '../../../db/pipeline.ts'
import { type AnomalySighting, anomalyStatement } from '../../anomalies/record-anomalies.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { Ctx } from '../../kernel/context.ts'
import { boundRow, UPSERT_BOUNDS } from '../../rights/seat-bounds.ts'
import type { Capacity } from '../../rights/seat-capacity.ts'
import type { Seat } from '../../rights/take-seat.ts'
import type { Stream } from '../reports/count-report.ts'
import type { ReportRow } from '../reports/report-row.ts'
import { formatSequenceSet } from '../reports/sequence-set.ts'

export interface Writes {
  readonly created: readonly InstanceRow[]
  readonly changed: readonly InstanceRow[]
  readonly seats: readonly Seat[]
  readonly capacities: readonly (Capacity & { licenseId: string })[]
  readonly streams: readonly { instanceKey: string; bootId: string; stream: Stream }[]
  readonly reports: readonly ReportRow[]
  readonly sightings: readonly AnomalySighting[]
  readonly bindings: readonly { id: string; instanceKey: string }[]
}

const INSTANCE_COLUMNS = `"instanceKey" uuid, "productId" uuid, "instanceId" text, hostname text, version text, os text,
  arch text, fingerprint text, "reportedTier" text, "hasValidEntitlement" boolean, metrics jsonb,
  "featureUsage" text[], "integrityHash" text, "entitlementHash" text, "entitlementMismatchAt" timestamptz,
  "firstSeenAt" timestamptz, "lastSeenAt" timestamptz, "deactivatedAt" timestamptz, action text, "actionSeq" bigint,
  "actionDeliveredAt" timestamptz, "actionAcknowledgedAt" timestamptz, lineage jsonb, "tokenHash" text,
  "tokenPresentedAt" timestamptz, proof text, "provenLicenseId" uuid`

const INSERT_INSTANCES = `
  insert into instances (instance_key, product_id, instance_id, hostname, version, os, arch, fingerprint,
    reported_tier, has_valid_entitlement, metrics, feature_usage, integrity_hash, entitlement_hash,
    entitlement_mismatch_at, first_seen_at, last_seen_at, deactivated_at, action, action_seq, lineage, token_hash,
    token_presented_at, proof, proven_license_id)
  select "instanceKey", "productId", "instanceId", hostname, version, os, arch, fingerprint, "reportedTier",
    "hasValidEntitlement", metrics, "featureUsage", "integrityHash", "entitlementHash", "entitlementMismatchAt",
    "firstSeenAt", "lastSeenAt", "deactivatedAt", action, "actionSeq", nullif(lineage, 'null'::jsonb), "tokenHash", "tokenPresentedAt",
    proof, "provenLicenseId"
  from json_to_recordset($1::json) as r(${INSTANCE_COLUMNS})
  order by "instanceKey"`

/** Who holds the action's columns is the admin; an instance's requests change what became of it. */
const UPDATE_INSTANCES = `
  update instances i set hostname = u.hostname, version = u.version, os = u.os, arch = u.arch,
    fingerprint = u.fingerprint, reported_tier = u."reportedTier", has_valid_entitlement = u."hasValidEntitlement",
    metrics = u.metrics, feature_usage = u."featureUsage", integrity_hash = u."integrityHash",
    entitlement_hash = u."entitlementHash", entitlement_mismatch_at = u."entitlementMismatchAt",
    last_seen_at = u."lastSeenAt", deactivated_at = u."deactivatedAt",
    action_delivered_at = u."actionDeliveredAt", action_acknowledged_at = u."actionAcknowledgedAt",
    lineage = nullif(u.lineage, 'null'::jsonb), token_hash = u."tokenHash", token_presented_at = u."tokenPresentedAt", proof = u.proof,
    proven_license_id = u."provenLicenseId"
  from json_to_recordset($1::json) as u(${INSTANCE_COLUMNS})
  where i.instance_key = u."instanceKey"`

const UPSERT_SEATS = `
  insert into activations (instance_key, license_id, id, credential_source, credential_id, first_activated_at,
    activated_at, lease_ends_at, ended_at, ended_by, lease_issued_at, tombstone_lifted_at)
  select "instanceKey", "licenseId", id, "credentialSource", "credentialId", "firstActivatedAt", "activatedAt",
    "leaseEndsAt", "endedAt", "endedBy", "leaseIssuedAt", "tombstoneLiftedAt"
  from json_to_recordset($1::json) as r("instanceKey" uuid, "licenseId" uuid, id uuid, "credentialSource" text,
    "credentialId" uuid, "firstActivatedAt" timestamptz, "activatedAt" timestamptz, "leaseEndsAt" timestamptz,
    "endedAt" timestamptz, "endedBy" text, "leaseIssuedAt" timestamptz, "tombstoneLiftedAt" timestamptz)
  order by "instanceKey", "licenseId"
  on conflict (instance_key, license_id) do update set id = excluded.id,
    credential_source = excluded.credential_source, credential_id = excluded.credential_id,
    activated_at = excluded.activated_at, lease_ends_at = excluded.lease_ends_at, ended_at = excluded.ended_at,
    ended_by = excluded.ended_by, lease_issued_at = excluded.lease_issued_at,
    tombstone_lifted_at = excluded.tombstone_lifted_at`

const UPSERT_STREAMS = `
  insert into report_streams (instance_key, boot_id, last_seq, seen, counters, updated_at)
  select "instanceKey", "bootId", "lastSeq", seen, counters, $2::timestamptz
  from json_to_recordset($1::json) as r("instanceKey" uuid, "bootId" uuid, "lastSeq" bigint, seen int8multirange,
    counters jsonb)
  order by "instanceKey", "bootId"
  on conflict (instance_key, boot_id) do update set last_seq = excluded.last_seq, seen = excluded.seen,
    counters = excluded.counters, updated_at = excluded.updated_at`

const INSERT_REPORTS = `
  insert into reports (instance_key, received_on, id, product_id, license_id, kind, proof, received_at, observed_at,
    boot_id, seq, version, tier, metrics, increases, features)
  select "instanceKey", "receivedOn", id, "productId", "licenseId", kind, proof, "receivedAt", "observedAt",
    "bootId", seq, version, tier, metrics, increases, features
  from json_to_recordset($1::json) as r("instanceKey" uuid, "receivedOn" date, id uuid, "productId" uuid,
    "licenseId" uuid, kind text, proof text, "receivedAt" timestamptz, "observedAt" timestamptz, "bootId" uuid,
    seq bigint, version text, tier text, metrics jsonb, increases jsonb, features text[])
  order by "instanceKey", id`

const BIND_STATIC_JWTS = `
  update static_jwts s set bound_instance_key = b."instanceKey"
  from json_to_recordset($1::json) as b(id uuid, "instanceKey" uuid) where s.id = b.id`

/** Whether another process made an instance known at the same moment: nothing was committed, and it is known now. */
export const hasAppeared = (error: unknown): boolean => violates(error, 'instances_pkey')

/** Sends what there is to write, and COMMIT behind it: one round trip. Rejects when any of it failed. */
export async function writeBatch(
  tx: PipelinedTransaction,
  ctx: Pick<Ctx, 'clock' | 'random'>,
  writes: Writes,
  now: Date,
): Promise<void> {
  const send = (text: string, rows: readonly unknown[], ...more: Date[]) => {
    // `commit` throws what fails of it.
    if (rows.length > 0) void tx.send(text, [JSON.stringify(rows), ...more])
  }
  send(INSERT_INSTANCES, writes.created)
  send(UPDATE_INSTANCES, writes.changed)
  send(UPSERT_SEATS, writes.seats)
  send(
    UPSERT_BOUNDS,
    writes.capacities.map(({ licenseId, ...capacity }) => boundRow(licenseId, capacity)),
  )
  send(
    UPSERT_STREAMS,
    writes.streams.map(({ instanceKey, bootId, stream }) => ({
      instanceKey,
      bootId,
      lastSeq: stream.lastSeq,
      seen: formatSequenceSet(stream.seen),
      counters: stream.counters,
    })),
    now,
  )
  send(INSERT_REPORTS, writes.reports)
  if (writes.sightings.length > 0) {
    const { text, parameters } = anomalyStatement(ctx, writes.sightings)
    void tx.send(text, parameters)
  }
  send(BIND_STATIC_JWTS, writes.bindings)
  await tx.commit()
}
