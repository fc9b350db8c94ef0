// The one path on which an instance obtains or renews a lease: identity, standing, seat, refresh chain, and the rows
// that remember them. Signs nothing: that follows after the commit.
import { eq } from 'drizzle-orm'
import type { Proof } from '../../contract/catalog.ts'
import type { Transaction } from '../../db/client.ts'
import { instances } from '../../db/schema/index.ts'
import { mintCredential } from '../../platform/credentials.ts'
import { uuidv7 } from '../../platform/ids.ts'
import { recordClone } from '../anomalies/record-clone.ts'
import { advanceLineage } from '../fleet/lineage.ts'
import { readLineageState } from '../fleet/lineage-state.ts'
import { randomFeatureToken } from '../fleet/refresh-token.ts'
import { type InstanceRow, touchInstance } from '../fleet/touch-instance.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
import { claimSeat, needsNewSeat } from '../rights/claim-seat.ts'
import { grantedRights } from '../rights/granted-rights.ts'
import { holdLicense } from '../rights/hold-license.ts'
import { seatEnd, standingOf } from '../rights/license-standing.ts'
import { apiKeyRevoked } from './proof/find-api-key.ts'
import { readCredential } from './proof/find-session-credential.ts'
import { provenIdentity } from './proof/prove-instance.ts'
import type { Denial, Session, SessionDenial, SessionRequest } from './session.ts'

type InstanceChanges = Partial<
  Pick<
    InstanceRow,
    'tokenHash' | 'tokenPresentedAt' | 'actionDeliveredAt' | 'lineage' | 'provenLicenseId' | 'proof'
  >
>

/**
 * Runs inside the caller's transaction. Takes the instance's row, then the license's, and reads license and credential
 * again under them: what an admin changed meanwhile counts. A denial is a result, and what was learned of the instance
 * is kept, within the bound on strangers where the instance is new. @throws Refusal 401 and 409 of T8 and T9, which roll everything back.
 */
export async function openSession(
  tx: Transaction,
  ctx: Ctx,
  request: SessionRequest,
): Promise<Session | SessionDenial> {
  const now = ctx.clock.now()
  const { productId, productCode } = request.license
  const at = { productId, productCode, instanceId: request.instanceId }
  const claimed: Proof = request.instanceToken === undefined ? 'license' : 'instance'
  const { row, created } = await touchInstance(tx, at, request.facts, claimed, now)
  const identity = await provenIdentity(tx, ctx, { row, created, license: request.license, request, now })
  const proof: Proof = identity.foreign ? 'none' : claimed
  const claims = await needsNewSeat(tx, row.instanceKey, request.license.id, request.seat, now)
  const license = await holdLicense(tx, request.license.id, claims ? 'no key update' : 'share')
  const standing = standingOf(license, ctx.settings.tokenLife, now)
  const { revoked, retired } = await refuseEnded(tx, request)

  const deny = async (denial: Denial): Promise<SessionDenial> => {
    const denied = { granted: false, license, standing, at: now, ...denial } as const
    const left = deniedProof(row, proof, { licenseId: license.id, revoked })
    if (created && left === 'none' && !(await admitted(tx, ctx, row))) {
      return {
        ...denied,
        instance: { ...row, proof: left },
        instanceToken: undefined,
        proof: left,
        forgotten: true,
      }
    }
    // Whoever is denied takes no proven instance's token away, and a revoked key proves nothing.
    const known = knownOf(ctx, row, request, identity.issueToken && row.provenLicenseId === null && !revoked)
    const changes = { ...known.changes, ...(left === row.proof ? {} : { proof: left }) }
    await remember(tx, row.instanceKey, changes)
    return {
      ...denied,
      instance: { ...row, ...changes },
      instanceToken: known.token,
      proof: left,
    }
  }
  if (row.action === 'kill') return deny({ reason: 'instance_killed' })
  if (revoked) return deny({ reason: 'key_revoked' })
  if (!standing.inForce) return deny({ reason: standing.reason })
  const seat = await claimSeat(tx, {
    license,
    instanceKey: row.instanceKey,
    credential: request.credential,
    leaseEndsAt: seatEnd(license, standing.exp),
    now,
    newId: uuidv7(now, ctx.random),
    mode: retired ? { kind: 'hold' } : request.seat,
  })
  if (!seat.ok) return deny(seat)

  const known = knownOf(ctx, row, request, identity.issueToken)
  const chain = identity.foreign ? null : await advanceChain(tx, ctx, row, request, now)
  const changes = {
    ...known.changes,
    ...(chain ? { lineage: chain.state } : {}),
    provenLicenseId: row.provenLicenseId ?? license.id,
    proof,
  }
  await remember(tx, row.instanceKey, changes)
  return {
    granted: true,
    license,
    instance: { ...row, ...changes },
    standing,
    rights: grantedRights(license, row.action),
    seatId: seat.id,
    credential: request.credential,
    refreshToken: chain?.nextToken ?? randomFeatureToken(ctx.random),
    instanceToken: known.token,
    proof,
    at: now,
  }
}

/**
 * What a denied request proves of its instance (T11): what its instance token says, or the license that has proven it
 * before. A license that grants nothing proves no further instance.
 */
function deniedProof(
  row: InstanceRow,
  claimed: Proof,
  { licenseId, revoked }: { licenseId: string; revoked: boolean },
): Proof {
  if (claimed !== 'license') return claimed
  return row.provenLicenseId === licenseId && !revoked ? 'license' : 'none'
}

/** Counts an instance that a denied request made known as a stranger's; one too many is unknown again. */
async function admitted(tx: Transaction, ctx: Ctx, row: InstanceRow): Promise<boolean> {
  try {
    await ctx.newcomers?.admit(tx, ctx, [row.productId])
    return true
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    await tx.delete(instances).where(eq(instances.instanceKey, row.instanceKey))
    return false
  }
}

/** What became of a license key that was presented; other credentials are refused outright. */
async function refuseEnded(
  tx: Transaction,
  { credential, begins }: SessionRequest,
): Promise<{ revoked: boolean; retired: boolean }> {
  const { revoked, ended, retired } = await readCredential(tx, credential)
  if (!begins) {
    if (ended) throw sessionEnded()
    return { revoked: false, retired: false }
  }
  if (revoked && credential.source === 'api_key') throw apiKeyRevoked()
  return { revoked, retired }
}

function knownOf(
  ctx: Ctx,
  row: InstanceRow,
  request: SessionRequest,
  issueToken: boolean,
): { token: string | undefined; changes: InstanceChanges } {
  const now = ctx.clock.now()
  const token = issueToken ? mintCredential('instance_token', ctx.random).secret : undefined
  const changes: InstanceChanges = {}
  if (request.instanceToken !== undefined && !row.tokenPresentedAt) changes.tokenPresentedAt = now
  if (token !== undefined) {
    changes.tokenHash = hashCredential(ctx, 'instance_token', token)
    changes.tokenPresentedAt = null
  }
  if (row.actionSetAt && !row.actionDeliveredAt) changes.actionDeliveredAt = now
  return { token, changes }
}

async function advanceChain(
  tx: Transaction,
  ctx: Ctx,
  row: InstanceRow,
  { chain, license, instanceId }: SessionRequest,
  now: Date,
) {
  const advance = advanceLineage(
    readLineageState(row.lineage),
    { refreshToken: chain.refresh_token, refreshId: chain.refresh_id },
    { key: ctx.pepper, product: license.productCode, instanceId },
    now,
    ctx.random,
  )
  if (advance.cloneEvidence) await recordClone(tx, ctx, row, advance.cloneEvidence)
  return advance
}

async function remember(tx: Transaction, instanceKey: string, changes: InstanceChanges): Promise<void> {
  if (Object.keys(changes).length === 0) return
  await tx.update(instances).set(changes).where(eq(instances.instanceKey, instanceKey))
}

const sessionEnded = () =>
  new Refusal('session_ended', 'The credential that this session began with was revoked.', {
    facts: { reason: 'credential_revoked' },
    fix: 'Use another API key or license key of the license.',
  })
