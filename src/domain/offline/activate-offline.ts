// Answers the request file of a site without a network: a seat, a long lease, and the action in force, signed once for
// the nonce of the request (T3, T6). What is handed out is not stored.
import { and, eq } from 'drizzle-orm'
import type { NewOfflineActivation } from '../../contract/admin-offline.schema.ts'
import { ACTIVATION_LIFE, ACTIVATION_TYP, type ActivationClaims } from '../../contract/claims.ts'
import type { Transaction } from '../../db/client.ts'
import { instances, offlineActivations, staticJwts } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { signJws } from '../../mint/sign-jws.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { fromUnixSeconds, rfc3339, unixSeconds } from '../../platform/time.ts'
import { isKilled } from '../fleet/action-in-force.ts'
import { type InstanceRow, touchInstance } from '../fleet/touch-instance.ts'
import { signLicenseJwt } from '../instance-api/grants/sign-grant.ts'
import { unsignedRefusal } from '../instance-api/sessions/answer-session.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { readWith } from '../reference/read-with.ts'
import { claimSeat } from '../rights/claim-seat.ts'
import { grantedRights } from '../rights/granted-rights.ts'
import { holdLicense, standingToIssue } from '../rights/hold-license.ts'
import { findLicense, type LicenseFacts } from '../rights/license-facts.ts'
import { seatEnd } from '../rights/license-standing.ts'
import { currentKeySet } from '../signing/refresh-key-set.ts'
import { leaseOfDays, refuseForeign } from './activation-terms.ts'

export type OfflineActivationRow = typeof offlineActivations.$inferSelect

export interface AnsweredActivation {
  row: OfflineActivationRow
  /** The offline answer, a compact JWS. */
  activation: string
  keySet: string
  installBefore: Date
}

interface Granted {
  row: OfflineActivationRow
  license: LicenseFacts
  instance: InstanceRow
  seatId: string
  exp: number
  inGrace: boolean
}

/**
 * The admin's word proves the instance, so one that another license has proven is answered too (T9). A request that was
 * answered is not answered again. @throws Refusal `not_found`, `product_mismatch`, `license_mismatch` and the like about
 * the license key, `invalid_request`, `conflict`, `instance_limit_reached`, `seat_churn`
 */
export async function activateOffline(
  ctx: Ctx,
  license_id: string,
  request: NewOfflineActivation,
): Promise<AnsweredActivation> {
  requireRole(ctx, 'operator')
  const licenseId = uuidOf('lic', license_id, 'license')
  const found = (await findLicense(ctx.db, licenseId)) ?? notFound('license')
  await refuseForeign(ctx, found, request)
  const life = leaseOfDays(request.days, ctx.settings.offlineLease)
  const { jws: keySet } = await currentKeySet(ctx)
  const granted = await transaction(ctx.db, (tx) => grant(tx, ctx, found, request, life))
  const activation = await signAnswer(ctx, granted, request.nonce)
  return { ...activation, row: granted.row, keySet }
}

/** The instance's row first, then the license's, as every session locks them. */
async function grant(
  tx: Transaction,
  ctx: Ctx,
  { id: licenseId, productId, productCode }: LicenseFacts,
  request: NewOfflineActivation,
  life: number,
): Promise<Granted> {
  const now = ctx.clock.now()
  const at = { productId, productCode, instanceId: request.instance_id }
  const { server_version: version, hostname, fingerprint } = request
  const { row: instance } = await touchInstance(tx, at, { version, hostname, fingerprint }, 'license', now)
  if (instance.action === 'kill') throw isKilled(instance.instanceKey)
  const mode = { kind: 'claim' } as const
  const license = await holdLicense(tx, licenseId, 'no key update')
  const { exp, inGrace, status } = standingToIssue(license, life, now)
  const row: OfflineActivationRow = {
    id: uuidv7(now, ctx.random),
    licenseId,
    instanceKey: instance.instanceKey,
    nonce: request.nonce,
    action: instance.action,
    toldAction: request.action,
    staticJwtId: uuidv7(now, ctx.random),
    issuedAt: now,
    expiresAt: fromUnixSeconds(exp),
    leaseEndsAt: seatEnd(license, exp),
    issuedBy: ctx.actor.id,
  }
  const fresh = await tx
    .insert(offlineActivations)
    .values(row)
    .onConflictDoNothing({ target: [offlineActivations.instanceKey, offlineActivations.nonce] })
    .returning({ id: offlineActivations.id })
  if (fresh.length === 0) throw await answeredBefore(tx, row)
  const seat = await claimSeat(tx, readWith(tx), {
    license,
    instanceKey: row.instanceKey,
    credential: { source: 'static_jwt', id: row.staticJwtId },
    leaseEndsAt: row.leaseEndsAt,
    now,
    newId: uuidv7(now, ctx.random),
    mode,
  })
  if (!seat.ok) {
    const standing = { inForce: true, exp, inGrace, status } as const
    const facts = {
      license,
      standing,
      instance,
      instanceToken: undefined,
      proof: 'license',
      grantedAt: now,
      decidedAt: now,
    } as const
    throw unsignedRefusal({ granted: false, ...facts, ...seat })
  }
  await tx.insert(staticJwts).values({
    id: row.staticJwtId,
    licenseId,
    name: 'offline activation',
    refreshable: false,
    boundInstanceKey: row.instanceKey,
    expiresAt: row.expiresAt,
    endSessions: false,
    createdAt: now,
  })
  await tx
    .update(instances)
    .set({ provenLicenseId: instance.provenLicenseId ?? licenseId })
    .where(eq(instances.instanceKey, row.instanceKey))
  await recordChange(tx, ctx, {
    action: 'offline_activation.issue',
    subject: publicId('ofa', row.id),
    event: 'instance.changed',
    details: {
      license_id: publicId('lic', licenseId),
      instance: publicId('ins', row.instanceKey),
      instance_id: request.instance_id,
      action: row.action,
      told_action: request.action,
      told_seq: request.action_seq,
      static_jwt: publicId('sjw', row.staticJwtId),
      requested_at: request.created_at,
      expires_at: rfc3339(row.expiresAt),
    },
    scope: { productId, licenseId, instanceKey: row.instanceKey },
  })
  return { row, license, instance, seatId: seat.id, exp, inGrace }
}

async function signAnswer(ctx: Ctx, granted: Granted, nonce: string) {
  const { row, license, instance, seatId, exp, inGrace } = granted
  const iat = unixSeconds(row.issuedAt)
  const keyring = await ctx.keyring.current(license.productCode)
  const { jwt } = signLicenseJwt(
    { ...ctx, keyring },
    {
      license,
      rights: grantedRights(license, row.action),
      exp,
      inGrace,
      instanceId: instance.instanceId,
      seatId,
      credential: publicId('sjw', row.staticJwtId),
      refreshable: false,
      at: row.issuedAt,
      id: publicId('sjw', row.staticJwtId),
    },
  )
  const claims: ActivationClaims = {
    iss: ctx.settings.issuer,
    aud: license.productCode,
    instance_id: instance.instanceId,
    license_id: publicId('lic', license.id),
    nonce,
    iat,
    exp: iat + ACTIVATION_LIFE,
    action: row.action === 'downgrade' ? 'downgrade' : 'none',
    seq: instance.actionSeq,
    reason: instance.actionReason ?? '',
    grant: jwt,
  }
  const signer = keyring.signer(license.productCode, 'control', row.issuedAt)
  const activation = signJws(signer, ACTIVATION_TYP, claims)
  return { activation, installBefore: fromUnixSeconds(claims.exp) }
}

async function answeredBefore(
  tx: Transaction,
  { instanceKey, nonce }: OfflineActivationRow,
): Promise<Refusal> {
  const own = eq(offlineActivations.instanceKey, instanceKey)
  const [before] = await tx
    .select()
    .from(offlineActivations)
    .where(and(own, eq(offlineActivations.nonce, nonce)))
  return new Refusal('conflict', 'This request file was answered before, and is answered once.', {
    facts: {
      reason: 'activation_request_used',
      ...(before
        ? {
            offline_activation: publicId('ofa', before.id),
            license_id: publicId('lic', before.licenseId),
            answered_at: rfc3339(before.issuedAt),
          }
        : {}),
    },
    fix: 'Install the answer that was given. If it was lost, make a new request file on the site.',
  })
}
