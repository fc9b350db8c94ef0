// Signs an envelope of a license with the product's raw key. It is handed out once; only what it says is stored.
import type { NewEnvelope } from '../../contract/admin-offline.schema.ts'
import { type EnvelopePayload, LAST_SECOND } from '../../contract/claims.ts'
import { envelopes } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { signRaw } from '../../mint/sign-raw.ts'
import { instanceKey, publicId, uuidv7 } from '../../platform/ids.ts'
import { rfc3339, unixSeconds } from '../../platform/time.ts'
import { actionInForce } from '../fleet/action-in-force.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { type GrantedRights, grantedRights } from '../rights/granted-rights.ts'
import { holdLicense, standingToIssue } from '../rights/hold-license.ts'
import { findLicense, type LicenseFacts } from '../rights/license-facts.ts'
import { envelopeEnd, envelopeLimits } from './envelope-terms.ts'

export type EnvelopeRow = typeof envelopes.$inferSelect

/**
 * It ends with the license at the latest, the license's grace after it, and gives no more than the license does. Of a
 * license in grace it is in grace too. Bound to an instance, it obeys the action that is in force there (T3).
 * @throws Refusal `not_found`, `invalid_request`, `conflict` while the license is not in force or the instance killed.
 */
export async function issueEnvelope(
  ctx: Ctx,
  license_id: string,
  input: NewEnvelope,
): Promise<{ row: EnvelopeRow; text: string }> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const licenseId = uuidOf('lic', license_id, 'license')
  const found = (await findLicense(ctx.db, licenseId)) ?? notFound('license')
  const keyring = await ctx.keyring.current(found.productCode)
  const signer = keyring.signer(found.productCode, 'raw', now)
  return transaction(ctx.db, async (tx) => {
    const bound = input.instance_id === undefined ? null : instanceKey(found.productCode, input.instance_id)
    const action = bound === null ? 'none' : await actionInForce(tx, bound)
    const license = await holdLicense(tx, licenseId)
    standingToIssue(license, 0, now)
    const row: EnvelopeRow = {
      id: uuidv7(now, ctx.random),
      licenseId,
      kid: signer.kid,
      tenantId: license.tenantId ?? noTenant(),
      label: input.label === undefined ? license.label : input.label,
      boundInstanceKey: bound,
      issuedAt: now,
      expiresAt: envelopeEnd(input.expires_at, license.expiresAt, now),
      graceDays: license.graceDays,
      issuedBy: ctx.actor.id,
    }
    const rights = grantedRights(license, action)
    const text = signRaw(signer, 'envelope', payloadOf(row, license, rights, input))
    await tx.insert(envelopes).values(row)
    await recordChange(tx, ctx, {
      action: 'envelope.issue',
      subject: publicId('env', row.id),
      event: 'license.changed',
      details: {
        license_id,
        kid: row.kid,
        tenant_id: row.tenantId,
        label: row.label,
        tier: rights.tier,
        instance_id: input.instance_id,
        limits: input.limits,
        expires_at: row.expiresAt && rfc3339(row.expiresAt),
      },
      scope: { productId: license.productId, licenseId },
    })
    return { row, text }
  })
}

function payloadOf(
  row: EnvelopeRow,
  license: LicenseFacts,
  rights: GrantedRights,
  input: NewEnvelope,
): EnvelopePayload {
  return {
    exp: row.expiresAt ? unixSeconds(row.expiresAt) : LAST_SECOND,
    features: rights.features,
    gracePeriodDays: row.graceDays,
    iat: unixSeconds(row.issuedAt),
    ...(input.instance_id === undefined ? {} : { instanceId: input.instance_id }),
    ...(row.label === null ? {} : { label: row.label }),
    licenseId: license.id,
    limits: envelopeLimits(rights.limits, input.limits),
    tenantId: row.tenantId,
    tier: rights.tier,
  }
}

function noTenant(): never {
  throw new Refusal('invalid_request', 'The license has no tenant_id, which an envelope has to name.', {
    facts: { reason: 'tenant_id_missing' },
    fix: 'PATCH the license with the tenant_id that the customer’s installation has.',
  })
}
