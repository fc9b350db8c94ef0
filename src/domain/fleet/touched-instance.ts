// What an instance says of itself, taken into what is known of it. Pure.
import type { Proof } from '../../contract/catalog.ts'
import type { InstanceFacts, InstanceRow } from './touch-instance.ts'

/** Facts that are not given stay as they were; being heard ends a deactivation. */
export function touched(row: InstanceRow, facts: InstanceFacts, proof: Proof, now: Date): InstanceRow {
  return {
    ...row,
    hostname: facts.hostname ?? row.hostname,
    version: facts.version ?? row.version,
    os: facts.os ?? row.os,
    arch: facts.arch ?? row.arch,
    fingerprint: facts.fingerprint ?? row.fingerprint,
    reportedTier: facts.reportedTier ?? row.reportedTier,
    lastSeenAt: now > row.lastSeenAt ? now : row.lastSeenAt,
    deactivatedAt: null,
    proof,
  }
}
