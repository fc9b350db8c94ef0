// Issues the entitlement token and remembers its hash, so that a strange one in a report can be noted.
import { and, eq } from 'drizzle-orm'
import { instances } from '../../../db/schema/index.ts'
import { sha256Hex } from '../../../platform/hash.ts'
import type { Ctx } from '../../kernel/context.ts'
import { type EntitlementGrant, signEntitlementToken } from './sign-grant.ts'

/**
 * The token, or undefined while downgraded, or when the action was changed since the instance was read: what an admin
 * takes meanwhile is not given. Call it only with a license in force and no kill.
 */
export async function issueEntitlement(
  ctx: Ctx,
  instance: { instanceKey: string; actionSeq: number },
  grant: EntitlementGrant,
): Promise<string | undefined> {
  const token = await signEntitlementToken(ctx, grant)
  if (token === undefined) return undefined
  const updated = await ctx.db
    .update(instances)
    .set({ entitlementHash: sha256Hex(token) })
    .where(and(eq(instances.instanceKey, instance.instanceKey), eq(instances.actionSeq, instance.actionSeq)))
    .returning({ key: instances.instanceKey })
  return updated.length === 1 ? token : undefined
}
