// Deactivate: an instance gives its seat back. Repeating it changes nothing.
import { and, eq, isNull } from 'drizzle-orm'
import type { DeactivateAnswer, LicenseKeyRequest } from '../../contract/instance-api.ts'
import { activations, instances } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { instanceKey } from '../../platform/ids.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { bestStanding } from '../rights/best-standing.ts'
import { holdLicense } from '../rights/hold-license.ts'
import { signDirective, standingDirective } from './grants/directive.ts'
import { findLicenseKey } from './proof/find-license-key.ts'
import { proveReporter } from './proof/prove-reporter.ts'
import { lockInstances, readHeldLicenses } from './reports/batch-facts.ts'

/** @throws Refusal 400 and 404 about the key, 401 about the credential. */
export async function deactivateLicense(
  ctx: Ctx,
  bearer: Bearer | null,
  body: LicenseKeyRequest,
): Promise<DeactivateAnswer> {
  const proof = await proveReporter(ctx, bearer, { productCode: body.product, instanceId: body.instance_id })
  const { license, revoked } = await findLicenseKey(ctx, body.product, body.license_key)
  if (revoked && proof === 'none') throw keyRevoked()
  const key = instanceKey(body.product, body.instance_id)
  const now = ctx.clock.now()
  const left = await transaction(ctx.db, async (tx) => {
    const row = (await lockInstances(tx, [key])).get(key)
    if (!row) return null
    // A killed instance keeps its seat (T10).
    if (row.action === 'kill') return { row, licenseIds: [license.id], killed: true }
    await holdLicense(tx, license.id, 'no key update')
    await tx
      .update(activations)
      .set({ endedAt: now, endedBy: 'instance' })
      .where(
        and(
          eq(activations.instanceKey, key),
          eq(activations.licenseId, license.id),
          isNull(activations.endedAt),
        ),
      )
    const held = (await readHeldLicenses(tx, [key], now)).filter((seat) => seat.endedAt === null)
    if (held.length === 0) {
      // Who gave up the last seat with a proof of identity is free to pass the id on (T9).
      const released = proof === 'none' ? {} : { provenLicenseId: null }
      await tx
        .update(instances)
        .set({ deactivatedAt: now, ...released })
        .where(eq(instances.instanceKey, key))
    }
    return { row, licenseIds: held.map((seat) => seat.licenseId), killed: false }
  })
  const answer: DeactivateAnswer = {
    status: 'deactivated',
    ...(left?.killed ? { reason: 'instance_killed' } : {}),
  }
  if (!left || body.nonce === undefined) return answer
  const licensed = await bestStanding(ctx, left.licenseIds)
  const subject = standingDirective(body.product, left.row, licensed, now)
  const directive = await signDirective(ctx, subject, body.nonce)
  return { ...answer, ...(directive === undefined ? {} : { directive }) }
}

const keyRevoked = () =>
  new Refusal('license_key_revoked', 'This license key was revoked: it ends no seat.', {
    fix: 'Send the instance token with it, or the license key that replaces it.',
  })
