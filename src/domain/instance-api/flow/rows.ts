// Rows of the database as the domain's objects. Decides nothing.
import { fromUnixMilliseconds } from '../../../platform/time.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { Seat } from '../../rights/take-seat.ts'
import type { Stream } from '../reports/count-report.ts'
import { parseSequenceSet } from '../reports/sequence-set.ts'
import type { InstanceRecord, SeatRecord, StreamRecord } from './read-batch.ts'

const date = (ms: number | null): Date | null => (ms === null ? null : fromUnixMilliseconds(ms))

/** The CHECK constraints of the table vouch for the words. */
export function instanceOf(row: InstanceRecord): InstanceRow {
  return {
    instanceKey: row.instance_key,
    productId: row.product_id,
    instanceId: row.instance_id,
    hostname: row.hostname,
    version: row.version,
    os: row.os,
    arch: row.arch,
    fingerprint: row.fingerprint,
    reportedTier: row.reported_tier,
    hasValidEntitlement: row.has_valid_entitlement,
    metrics: row.metrics,
    featureUsage: row.feature_usage,
    integrityHash: row.integrity_hash,
    entitlementHash: row.entitlement_hash,
    entitlementMismatchAt: date(row.entitlement_mismatch_at),
    firstSeenAt: fromUnixMilliseconds(row.first_seen_at),
    lastSeenAt: fromUnixMilliseconds(row.last_seen_at),
    deactivatedAt: date(row.deactivated_at),
    action: row.action as InstanceRow['action'],
    actionReason: row.action_reason,
    actionSeq: Number(row.action_seq),
    actionSetAt: date(row.action_set_at),
    actionDeliveredAt: date(row.action_delivered_at),
    actionAcknowledgedAt: date(row.action_acknowledged_at),
    lineage: row.lineage,
    tokenHash: row.token_hash,
    tokenPresentedAt: date(row.token_presented_at),
    proof: row.proof as InstanceRow['proof'],
    provenLicenseId: row.proven_license_id,
  } satisfies Record<keyof InstanceRow, unknown>
}

export function seatOf(row: SeatRecord): Seat {
  return {
    instanceKey: row.instance_key,
    licenseId: row.license_id,
    id: row.id,
    credentialSource: row.credential_source as Seat['credentialSource'],
    credentialId: row.credential_id,
    firstActivatedAt: fromUnixMilliseconds(row.first_activated_at),
    activatedAt: fromUnixMilliseconds(row.activated_at),
    leaseEndsAt: fromUnixMilliseconds(row.lease_ends_at),
    endedAt: date(row.ended_at),
    endedBy: row.ended_by as Seat['endedBy'],
    leaseIssuedAt: fromUnixMilliseconds(row.lease_issued_at),
    tombstoneLiftedAt: date(row.tombstone_lifted_at),
  }
}

export const streamOf = (row: StreamRecord): Stream => ({
  lastSeq: Number(row.last_seq),
  seen: parseSequenceSet(row.seen),
  counters: row.counters,
})
