// An instance that nobody has heard of before, as its first request makes it known. Pure.
import { instanceKey } from '../../platform/ids.ts'
import type { InstanceRow } from './touch-instance.ts'

/** Nothing is known of it but its name. Its action number rises past every one that a client may remember (T12). */
export function newInstance(
  product: { id: string; code: string },
  { instanceId }: { instanceId: string },
  now: Date,
): InstanceRow {
  return {
    instanceKey: instanceKey(product.code, instanceId),
    productId: product.id,
    instanceId,
    hostname: null,
    version: null,
    os: null,
    arch: null,
    fingerprint: null,
    reportedTier: null,
    hasValidEntitlement: null,
    metrics: {},
    featureUsage: [],
    integrityHash: null,
    entitlementHash: null,
    entitlementMismatchAt: null,
    firstSeenAt: now,
    lastSeenAt: now,
    deactivatedAt: null,
    action: 'none',
    actionReason: null,
    actionSeq: now.getTime(),
    actionSetAt: null,
    actionDeliveredAt: null,
    actionAcknowledgedAt: null,
    lineage: null,
    tokenHash: null,
    tokenPresentedAt: null,
    proof: 'none',
    provenLicenseId: null,
  }
}
