// Instances as the admin API shows them. The token's hash and the refresh chain stay inside.
import type { BulkActionAnswer, InstanceAnswer } from '../../contract/admin-instances.schema.ts'
import type { InstanceView, SeatView } from '../../domain/instances/instance-view.ts'
import type { BulkOutcome } from '../../domain/instances/set-actions.ts'
import { isLive } from '../../domain/rights/seat.ts'
import { publicId } from '../../platform/ids.ts'
import { addSeconds, fromUnixSeconds, rfc3339 } from '../../platform/time.ts'

const time = (date: Date | null): string | null => (date === null ? null : rfc3339(date))

const instant = (at: number): Date => fromUnixSeconds(at / 1000)

const isHeld = ({ endedAt, leaseEndsAt }: SeatView, now: Date): boolean =>
  isLive({ endedAt: endedAt === null ? null : instant(endedAt), leaseEndsAt: instant(leaseEndsAt) }, now)

const fromMilliseconds = (at: number): string => rfc3339(instant(at))

function presentSeat(seat: SeatView, now: Date): InstanceAnswer['seats'][number] {
  return {
    license_id: publicId('lic', seat.licenseId),
    held: isHeld(seat, now),
    activated_at: fromMilliseconds(seat.activatedAt),
    lease_ends_at: fromMilliseconds(seat.leaseEndsAt),
    ended_at: seat.endedAt === null ? null : fromMilliseconds(seat.endedAt),
    ended_by: seat.endedBy,
    tombstone: seat.tombstone,
  }
}

/** `staleAfter` in seconds: silent for so long, and not deactivated, is stale. */
export function presentInstance(row: InstanceView, staleAfter: number, now: Date): InstanceAnswer {
  return {
    id: publicId('ins', row.instanceKey),
    instance_id: row.instanceId,
    product: row.productCode,
    hostname: row.hostname,
    version: row.version,
    os: row.os,
    arch: row.arch,
    fingerprint: row.fingerprint,
    reported_tier: row.reportedTier,
    tier: row.grantedTier,
    licenses: row.seats
      .filter((seat) => isHeld(seat, now))
      .map(({ licenseId }) => publicId('lic', licenseId)),
    seats: row.seats.map((seat) => presentSeat(seat, now)),
    has_valid_entitlement: row.hasValidEntitlement,
    entitlement_mismatch_at: time(row.entitlementMismatchAt),
    action: {
      action: row.action,
      reason: row.actionReason,
      seq: row.actionSeq,
      set_at: time(row.actionSetAt),
      delivered_at: time(row.actionDeliveredAt),
      acknowledged_at: time(row.actionAcknowledgedAt),
    },
    first_seen_at: rfc3339(row.firstSeenAt),
    last_seen_at: rfc3339(row.lastSeenAt),
    deactivated_at: time(row.deactivatedAt),
    stale: row.deactivatedAt === null && row.lastSeenAt <= addSeconds(now, -staleAfter),
    proof: row.proof,
    verified: row.proof !== 'none',
    metrics: row.metrics,
    feature_usage: row.featureUsage,
    integrity_hash: row.integrityHash,
  }
}

export const presentBulk = ({ matched, changed }: BulkOutcome): BulkActionAnswer => ({
  matched,
  changed: changed.length,
  instances: changed.map(({ instanceKey, instanceId, product, seq }) => ({
    id: publicId('ins', instanceKey),
    instance_id: instanceId,
    product,
    seq,
  })),
})
