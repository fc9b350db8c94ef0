// The one path on which an instance obtains or renews a lease: identity, standing, seat, refresh chain, and what the
// instance's row remembers of them. Pure: reads nothing, signs nothing.

import { ANOMALY_SEVERITY } from '../../../contract/anomalies.ts'
import type { Proof } from '../../../contract/catalog.ts'
import { mintCredential } from '../../../platform/credentials.ts'
import { uuidv7 } from '../../../platform/ids.ts'
import type { DatedFinding } from '../../anomalies/fold.ts'
import { advanceLineage, type LineageAdvance } from '../../fleet/lineage.ts'
import { readLineageState } from '../../fleet/lineage-state.ts'
import { newInstance } from '../../fleet/new-instance.ts'
import { randomFeatureToken, readRefreshToken } from '../../fleet/refresh-token.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import { touched } from '../../fleet/touched-instance.ts'
import { Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import type { LicenseFacts } from '../../kernel/reference.ts'
import { grantedRights } from '../../rights/granted-rights.ts'
import { seatEnd, standingOf } from '../../rights/license-standing.ts'
import { isLive } from '../../rights/seat.ts'
import { seatLimits } from '../../rights/seat-capacity.ts'
import { takeSeat } from '../../rights/take-seat.ts'
import type { Effects, View } from '../flow/turn.ts'
import { refuseEndedApiKey } from '../proof/find-api-key.ts'
import { judgeIdentity } from '../proof/identity.ts'
import { isToken, sessionIsOver } from '../proof/prove-reporter.ts'
import { credentialRevoked, instanceIdTaken, secondProofRequired, unknownToken } from '../proof/refusals.ts'
import type { Denial, Session, SessionDenial, SessionRequest } from './session.ts'

export type Opened =
  | { kind: 'session'; session: Session | SessionDenial; effects: Effects }
  /** The license's row must be held to answer this. */
  | { kind: 'needs_license' }

/**
 * A denial is a result, and what was learned of the instance is kept, within the bound on strangers where the instance
 * is new. @throws Refusal 401 and 409 of T8 and T9: nothing is kept then.
 */
export function openSession(view: View, license: LicenseFacts, request: SessionRequest): Opened {
  const { now, grantedAt, random } = view
  const created = view.instance === null
  const claimed: Proof = request.tokenHash === undefined ? 'license' : 'instance'
  const product = { id: license.productId, code: license.productCode }
  const before = view.instance ?? newInstance(product, request.subject, now)
  const row = touched(before, request.facts, claimed, now)
  const identity = identityOf(view, row, created, license, request)
  const proof: Proof = identity.foreign ? 'none' : claimed
  const standing = standingOf(license, view.settings.tokenLife, now)
  const { revoked, retired } = refuseEnded(view, request)
  const common = { license, standing, grantedAt, decidedAt: now }

  const deny = (denial: Denial): Opened => {
    const denied = { granted: false, ...common, ...denial } as const
    const left = deniedProof(row, proof, license.id, revoked)
    if (created && left === 'none' && !isAdmitted(view, license.productId)) {
      const instance = { ...row, proof: left }
      const forgotten = {
        ...denied,
        instance,
        instanceToken: undefined,
        proof: left,
        forgotten: true,
      } as const
      return { kind: 'session', session: forgotten, effects: {} }
    }
    // Whoever is denied takes no proven instance's token away, and a revoked key proves nothing.
    const mayHaveToken = identity.issueToken && row.provenLicenseId === null && !revoked
    const { instance: known, token } = remembered(view, row, request, mayHaveToken)
    const instance = { ...known, proof: left }
    return {
      kind: 'session',
      session: { ...denied, instance, instanceToken: token, proof: left },
      effects: { instance },
    }
  }
  if (row.action === 'kill') return deny({ reason: 'instance_killed' })
  if (revoked) return deny({ reason: 'key_revoked' })
  if (!standing.inForce) return deny({ reason: standing.reason })
  // A lease is as long as it says, counted from the time that it is dated with.
  const granted = standingOf(license, view.settings.tokenLife, grantedAt)
  const lease = granted.inForce ? granted : standing
  const seat = takeSeat({
    instanceKey: row.instanceKey,
    licenseId: license.id,
    credential: request.credential,
    mode: retired ? { kind: 'hold' } : request.seat,
    own: view.seats.get(license.id) ?? null,
    forgottenSeatId: view.forgottenSeats.get(license.id) ?? null,
    capacity: view.capacity,
    limits: seatLimits(license),
    leaseEndsAt: seatEnd(license, lease.exp),
    now,
    newId: () => uuidv7(now, random),
  })
  if (seat.kind === 'needs_license') return seat
  if (seat.kind === 'refused') return deny(seat)

  const { instance: known, token } = remembered(view, row, request, identity.issueToken)
  const chain = identity.foreign ? null : advanced(view, row, request)
  const instance: InstanceRow = {
    ...known,
    ...(chain ? { lineage: chain.state } : {}),
    provenLicenseId: row.provenLicenseId ?? license.id,
    proof,
  }
  return {
    kind: 'session',
    session: {
      granted: true,
      ...common,
      standing: lease,
      instance,
      rights: grantedRights(license, row.action),
      seatId: seat.seat.id,
      credential: request.credential,
      refreshToken: chain?.nextToken ?? randomFeatureToken(random),
      instanceToken: token,
      proof,
    },
    effects: {
      instance,
      seat: seat.seat,
      ...(seat.change ? { capacity: seat.change } : {}),
      findings: chain ? cloneFindings(instance, chain, now) : [],
    },
  }
}

/**
 * Whether this caller may speak for the instance, and whether it is given a new token.
 * @throws Refusal `instance_token_unknown`, `second_proof_required` (401), `instance_id_taken` (409).
 */
function identityOf(
  view: View,
  row: InstanceRow,
  created: boolean,
  license: LicenseFacts,
  { tokenHash, secondProof, chain, subject, boundJwt, tokenWish }: SessionRequest,
): { issueToken: boolean; foreign: boolean } {
  if (tokenHash !== undefined && !isToken(row.tokenHash, tokenHash)) throw unknownToken()
  if (secondProof && readLineageState(row.lineage)?.used && tokenHash === undefined) {
    const scope = { key: view.pepper, product: license.productCode, instanceId: subject.instanceId }
    if (chain.refresh_token === undefined || !readRefreshToken(scope, chain.refresh_token)) {
      throw secondProofRequired()
    }
  }
  const verdict = judgeIdentity(
    created
      ? null
      : {
          hasToken: row.tokenHash !== null,
          tokenPresented: row.tokenPresentedAt !== null,
          provenLicenseId: row.provenLicenseId,
          seatLicenseIds: [...view.seats.values()].flatMap((seat) =>
            isLive(seat, view.now) ? seat.licenseId : [],
          ),
        },
    { instance: tokenHash !== undefined || boundJwt, licenseId: license.id },
    { auth: license.instanceAuth, token: tokenWish },
  )
  if (!verdict.ok) throw instanceIdTaken()
  return verdict
}

/** What became of a license key that was presented; other credentials are refused outright. */
function refuseEnded(
  { facts, now }: View,
  { credential, begins }: SessionRequest,
): { revoked: boolean; retired: boolean } {
  const known = facts.credential(credential)
  if (!begins) {
    if (sessionIsOver(known)) throw credentialRevoked()
    return { revoked: false, retired: false }
  }
  if (credential.source === 'api_key') refuseEndedApiKey(known, now)
  return { revoked: (known?.revokedAt ?? null) !== null, retired: (known?.retiredAt ?? null) !== null }
}

/**
 * What a denied request proves of its instance (T11): what its instance token says, or the license that has proven it
 * before. A license that grants nothing proves no further instance.
 */
function deniedProof(row: InstanceRow, claimed: Proof, licenseId: string, revoked: boolean): Proof {
  if (claimed !== 'license') return claimed
  return row.provenLicenseId === licenseId && !revoked ? 'license' : 'none'
}

/** Counts an instance that a denied request would make known as a stranger's. */
function isAdmitted(view: View, productId: string): boolean {
  try {
    view.admitStranger(productId)
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

function remembered(
  view: View,
  row: InstanceRow,
  request: SessionRequest,
  issueToken: boolean,
): { instance: InstanceRow; token: string | undefined } {
  const { now, random } = view
  const token = issueToken ? mintCredential('instance_token', random).secret : undefined
  const instance = { ...row }
  if (request.tokenHash !== undefined && !row.tokenPresentedAt) instance.tokenPresentedAt = now
  if (token !== undefined) {
    instance.tokenHash = hashCredential(view, 'instance_token', token)
    instance.tokenPresentedAt = null
  }
  if (row.actionSetAt && !row.actionDeliveredAt) instance.actionDeliveredAt = now
  return { instance, token }
}

function advanced(view: View, row: InstanceRow, { chain, subject }: SessionRequest): LineageAdvance {
  return advanceLineage(
    readLineageState(row.lineage),
    { refreshToken: chain.refresh_token, refreshId: chain.refresh_id },
    { key: view.pepper, product: subject.productCode, instanceId: subject.instanceId },
    view.now,
    view.random,
  )
}

/** Two copies of the instance are running (T5). It accuses, and refuses nothing (T11). */
function cloneFindings(row: InstanceRow, { cloneEvidence }: LineageAdvance, now: Date): DatedFinding[] {
  if (!cloneEvidence) return []
  return [
    {
      type: 'instance_cloned',
      severity: ANOMALY_SEVERITY.instance_cloned,
      evidence: { ...cloneEvidence },
      instanceKey: row.instanceKey,
      productId: row.productId,
      seenAt: now,
      proof: row.proof,
    },
  ]
}
