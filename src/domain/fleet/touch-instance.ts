// Makes an instance known or updates what it says of itself, and holds its row until the transaction ends.
import { getTableColumns, sql } from 'drizzle-orm'
import type { Proof } from '../../contract/catalog.ts'
import type { Transaction } from '../../db/client.ts'
import { instances } from '../../db/schema/index.ts'
import { instanceKey } from '../../platform/ids.ts'

export interface InstanceFacts {
  hostname?: string | undefined
  version?: string | undefined
  os?: string | undefined
  arch?: string | undefined
  fingerprint?: string | undefined
  reportedTier?: string | undefined
}

/** Without the marks that jobs keep. */
export type InstanceRow = Omit<typeof instances.$inferSelect, 'seenMark' | 'silent'>

export interface InstanceAddress {
  productId: string
  productCode: string
  instanceId: string
}

/**
 * Upserts the instance and locks its row. Facts that are not given stay as they were; being heard ends a
 * deactivation. `created` tells whether the instance was unknown.
 */
export async function touchInstance(
  tx: Transaction,
  at: InstanceAddress,
  facts: InstanceFacts,
  proof: Proof,
  now: Date,
): Promise<{ row: InstanceRow; created: boolean }> {
  const [found] = await tx
    .insert(instances)
    .values({
      instanceKey: instanceKey(at.productCode, at.instanceId),
      productId: at.productId,
      instanceId: at.instanceId,
      hostname: facts.hostname ?? null,
      version: facts.version ?? null,
      os: facts.os ?? null,
      arch: facts.arch ?? null,
      fingerprint: facts.fingerprint ?? null,
      reportedTier: facts.reportedTier ?? null,
      metrics: {},
      featureUsage: [],
      firstSeenAt: now,
      lastSeenAt: now,
      action: 'none',
      actionSeq: now.getTime(),
      proof,
    })
    .onConflictDoUpdate({
      target: instances.instanceKey,
      set: {
        hostname: sql`coalesce(excluded.hostname, ${instances.hostname})`,
        version: sql`coalesce(excluded.version, ${instances.version})`,
        os: sql`coalesce(excluded.os, ${instances.os})`,
        arch: sql`coalesce(excluded.arch, ${instances.arch})`,
        fingerprint: sql`coalesce(excluded.fingerprint, ${instances.fingerprint})`,
        reportedTier: sql`coalesce(excluded.reported_tier, ${instances.reportedTier})`,
        lastSeenAt: sql`greatest(excluded.last_seen_at, ${instances.lastSeenAt})`,
        deactivatedAt: null,
        proof: sql`excluded.proof`,
      },
    })
    .returning({ ...getTableColumns(instances), created: sql<boolean>`(xmax = 0)` })
  if (!found) throw new Error('upsert of an instance returned no row')
  const { created, ...row } = found
  return { row, created }
}
