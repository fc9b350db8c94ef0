// Signs a license JWT that an admin hands out. Only the fact that it exists is stored, never the token.
import type { IssuedStaticJwt, NewStaticJwt } from '../../contract/admin-credentials.schema.ts'
import { staticJwts } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { instanceKey, publicId, uuidv7 } from '../../platform/ids.ts'
import { fromUnixSeconds, rfc3339 } from '../../platform/time.ts'
import { actionInForce } from '../fleet/action-in-force.ts'
import { signLicenseJwt } from '../instance-api/grants/sign-grant.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { grantedRights } from '../rights/granted-rights.ts'
import { holdLicense, standingToIssue } from '../rights/hold-license.ts'
import { findLicense } from '../rights/license-facts.ts'

/**
 * For `life` seconds, at most to the end of the license's grace (T6). Bound to an instance, it obeys the action that
 * is in force there (T3). It takes a seat when it is first refreshed.
 * @throws Refusal `not_found`, `conflict` while the license is not in force or the instance is killed.
 */
export async function issueStaticJwt(
  ctx: Ctx,
  license_id: string,
  input: NewStaticJwt,
): Promise<IssuedStaticJwt> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const licenseId = uuidOf('lic', license_id, 'license')
  const rowId = uuidv7(now, ctx.random)
  const id = publicId('sjw', rowId)
  const { instance_id: instanceId, life, name, refreshable } = input
  const lease = await transaction(ctx.db, async (tx) => {
    // The instance's row first, as every session locks them: two orders would deadlock.
    const { productCode } = (await findLicense(tx, licenseId)) ?? notFound('license')
    const bound = instanceId === undefined ? null : instanceKey(productCode, instanceId)
    const action = bound === null ? 'none' : await actionInForce(tx, bound)
    const license = await holdLicense(tx, licenseId)
    const standing = standingToIssue(license, life, now)
    const expiresAt = fromUnixSeconds(standing.exp)
    await tx.insert(staticJwts).values({
      id: rowId,
      licenseId,
      name,
      refreshable,
      boundInstanceKey: bound,
      expiresAt,
      endSessions: false,
      createdAt: now,
    })
    await recordChange(tx, ctx, {
      action: 'static_jwt.issue',
      subject: id,
      event: 'license.changed',
      details: { license_id, name, refreshable, instance_id: instanceId, expires_at: rfc3339(expiresAt) },
      scope: { productId: license.productId, licenseId },
    })
    return { license, rights: grantedRights(license, action), exp: standing.exp, inGrace: standing.inGrace }
  })
  const keyring = await ctx.keyring.current(lease.license.productCode)
  const { jwt } = signLicenseJwt(
    { ...ctx, keyring },
    {
      ...lease,
      ...(instanceId === undefined ? {} : { instanceId }),
      credential: id,
      id,
      refreshable,
      at: now,
    },
  )
  return { id, jwt, expires_at: rfc3339(fromUnixSeconds(lease.exp)) }
}
