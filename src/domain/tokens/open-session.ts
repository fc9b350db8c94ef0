// The one path on which an instance obtains or renews a lease: standing, identity, seat, refresh chain, and the
// rows that remember them. Signs nothing: that follows after the commit.
import { eq } from 'drizzle-orm'
import type { CredentialSource, Proof } from '../../contract/catalog.ts'
import type { ControlFields } from '../../contract/instance-api.ts'
import type { Transaction } from '../../db/client.ts'
import { instances } from '../../db/schema/index.ts'
import { endOfSeat } from '../../license/lease.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { uuidv7 } from '../../platform/ids.ts'
import { fromUnixSeconds, unixSeconds } from '../../platform/time.ts'
import { claimSeat, type SeatRequest } from '../activation/claim-seat.ts'
import { recordClone } from '../anomalies/record-clone.ts'
import type { Ctx } from '../context.ts'
import { hashCredential } from '../credential-hash.ts'
import type { TokenWish } from '../instances/identity.ts'
import { advanceLineage } from '../instances/lineage.ts'
import { readLineageState } from '../instances/lineage-state.ts'
import { type InstanceFacts, type InstanceRow, touchInstance } from '../instances/touch-instance.ts'
import type { LicenseFacts } from '../licenses/license-facts.ts'
import { type DenialReason, type Standing, standingOf } from '../licenses/license-standing.ts'
import { type GrantedRights, grantedRights } from './granted-rights.ts'
import { provenIdentity } from './prove-instance.ts'

export interface SessionRequest {
  license: LicenseFacts
  credential: { source: CredentialSource; id: string }
  instanceId: string
  facts: InstanceFacts
  /** The license key that came along was revoked: no right is granted, and none is taken (T2). */
  keyRevoked?: boolean
  seat: SeatRequest['mode']
  /** The instance token that was presented and must be right, if any. */
  instanceToken: string | undefined
  /** An unexpired JWT bound to this instance came along. */
  boundJwt: boolean
  tokenWish: TokenWish
  chain: Pick<ControlFields, 'refresh_token' | 'refresh_id'>
  /** An expired JWT needs a second proof once the chain was used (T8). */
  secondProof?: boolean
}

/** A license in force, its seat held. */
export interface Session {
  granted: true
  license: LicenseFacts
  instance: InstanceRow
  standing: Extract<Standing, { inForce: true }>
  rights: GrantedRights
  seatId: string
  credential: SessionRequest['credential']
  refreshToken: string
  instanceToken: string | undefined
}

export type SessionDenial = {
  granted: false
  license: LicenseFacts
  instance: InstanceRow
  instanceToken: string | undefined
} & (
  | { reason: DenialReason | 'instance_killed' | 'key_revoked' | 'key_retired' | 'seat_ended' }
  | { reason: 'instance_limit' | 'seat_churn'; limit: number; current: number }
)

/**
 * Runs inside the caller's transaction and holds the instance's row. A denial is a result, and what was learned of
 * the instance is kept. @throws Refusal 401 and 409 of T8 and T9, which roll everything back.
 */
export async function openSession(
  tx: Transaction,
  ctx: Ctx,
  request: SessionRequest,
): Promise<Session | SessionDenial> {
  const { license } = request
  const now = ctx.clock.now()
  const at = {
    productId: license.productId,
    productCode: license.productCode,
    instanceId: request.instanceId,
  }
  const proof: Proof = request.instanceToken === undefined ? 'license' : 'instance'
  const { row, created } = await touchInstance(tx, at, request.facts, proof, now)
  const identity = await provenIdentity(tx, ctx, { row, created, license, request, now })
  const standing = standingOf(license, ctx.settings.tokenLife, now)
  const instanceToken = identity.issueToken ? mintCredential('instance_token', ctx.random).secret : undefined
  const known = {
    ...(instanceToken === undefined
      ? {}
      : { tokenHash: hashCredential(ctx, 'instance_token', instanceToken), tokenPresentedAt: null }),
    ...(request.instanceToken === undefined || row.tokenPresentedAt ? {} : { tokenPresentedAt: now }),
    ...(row.action === 'none' || row.actionDeliveredAt ? {} : { actionDeliveredAt: now }),
  }
  const deny = async (denial: { reason: DenialReason | 'instance_killed' | 'key_revoked' } | SeatDenial) => {
    await remember(tx, row.instanceKey, known)
    return { granted: false as const, license, instance: { ...row, ...known }, instanceToken, ...denial }
  }
  if (row.action === 'kill') return deny({ reason: 'instance_killed' })
  if (request.keyRevoked) return deny({ reason: 'key_revoked' })
  if (!standing.inForce) return deny({ reason: standing.reason })

  const seat = await claimSeat(tx, {
    license,
    instanceKey: row.instanceKey,
    credential: request.credential,
    leaseEndsAt: fromUnixSeconds(
      endOfSeat({
        exp: standing.exp,
        grace_days: license.graceDays,
        ...(license.expiresAt ? { license_exp: unixSeconds(license.expiresAt) } : {}),
      }),
    ),
    now,
    newId: uuidv7(now, ctx.random),
    mode: request.seat,
  })
  if (!seat.ok) return deny(seat)

  const chain = advanceLineage(
    readLineageState(row.lineage),
    { refreshToken: request.chain.refresh_token, refreshId: request.chain.refresh_id },
    { key: ctx.pepper, product: license.productCode, instanceId: request.instanceId },
    now,
    ctx.random,
  )
  const proven = row.provenLicenseId ?? license.id
  const changes = { ...known, lineage: chain.state, provenLicenseId: proven }
  await remember(tx, row.instanceKey, changes)
  if (chain.cloneEvidence) await recordClone(tx, ctx, row, chain.cloneEvidence)
  return {
    granted: true,
    license,
    instance: { ...row, ...changes },
    standing,
    rights: grantedRights(license, row.action),
    seatId: seat.id,
    credential: request.credential,
    refreshToken: chain.nextToken,
    instanceToken,
  }
}

type SeatDenial =
  | { reason: 'seat_ended' | 'key_retired' }
  | { reason: 'instance_limit' | 'seat_churn'; limit: number; current: number }

async function remember(
  tx: Transaction,
  instanceKey: string,
  changes: Partial<typeof instances.$inferInsert>,
): Promise<void> {
  if (Object.keys(changes).length === 0) return
  await tx.update(instances).set(changes).where(eq(instances.instanceKey, instanceKey))
}
