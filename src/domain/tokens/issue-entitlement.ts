// Issues the entitlement token and remembers its hash, so that a strange one in a report can be noted.
import { eq } from 'drizzle-orm'
import { instances } from '../../db/schema/index.ts'
import { sha256Hex } from '../../platform/hash.ts'
import type { Ctx } from '../context.ts'
import { type EntitlementGrant, signEntitlementToken } from './sign-grant.ts'

/** The token, or undefined while downgraded. Call it only with a license in force and no kill. */
export async function issueEntitlement(
  ctx: Ctx,
  instance: { instanceKey: string },
  grant: EntitlementGrant,
): Promise<string | undefined> {
  const token = await signEntitlementToken(ctx, grant)
  if (token === undefined) return undefined
  await ctx.db
    .update(instances)
    .set({ entitlementHash: sha256Hex(token) })
    .where(eq(instances.instanceKey, instance.instanceKey))
  return token
}
