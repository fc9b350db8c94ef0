// What the relay may say while the vendor is away: what was signed for this instance, to the credential it was given
// to, until its signed end. No directive, no right of its own (T1, T2); what it does not hold is 503, never 401 or 404.
import { randomBytes } from 'node:crypto'
import type { Action } from '../../contract/claims.ts'
import type { LeaseAge } from '../../license/license-jwt.ts'
import { shownChain, shownJwt, shownProofs } from '../proofs.ts'
import type { FullHouse } from '../seats/full-house.ts'
import { cacheHeader, type FreshnessTimes, syncState } from '../states.ts'
import type { KeptGrant } from '../store/grants.ts'
import type { KeptInstance } from '../store/instances.ts'
import type { LicenseSyncedAt } from '../sync/freshness.ts'
import type { Memory } from './remember.ts'
import { type InstanceRequest, instanceIdOf, productOf } from './request.ts'

export type OfflineAnswer =
  | { kind: 'kept'; body: Record<string, unknown>; cache: string }
  | { kind: 'killed' }
  | { kind: 'full'; full: FullHouse }
  | { kind: 'nothing'; why: 'unknown_instance' | 'lease_over' | 'rejected' }

/** Not known here, which says nothing (T2). */
export const NOTHING: OfflineAnswer = { kind: 'nothing', why: 'unknown_instance' }

export interface OfflineContext extends Memory {
  times: FreshnessTimes
  syncedAt: LicenseSyncedAt
  /** Seconds; what clients are told where the vendor has told nothing. */
  intervals: { heartbeat: number; refresh: number }
}

const MESSAGE = "The vendor cannot be reached; this is the relay's copy of what it granted."

/** The grant that this request may be given again, and its words. */
async function held(
  context: OfflineContext,
  request: InstanceRequest,
): Promise<{ ok: true; grant: KeptGrant; cache: string } | { ok: false; answer: OfflineAnswer }> {
  const instanceId = instanceIdOf(request)
  const age = request.path.endsWith('/refresh') ? 'within_grace' : 'unexpired'
  const proven = instanceId === null ? null : await provenLicense(context, request, instanceId, age)
  if (instanceId === null || !proven) {
    return { ok: false, answer: { kind: 'nothing', why: 'unknown_instance' } }
  }
  const action = actionOf(context, proven.product, instanceId)
  if (action === 'kill') return { ok: false, answer: { kind: 'killed' } }
  if (action !== 'none') return { ok: false, answer: { kind: 'nothing', why: 'rejected' } }
  const kept = context.grants
    .ofInstance(proven.product, instanceId)
    .filter(({ licenseId }) => licenseId === proven.licenseId)
  const now = context.now()
  const [grant] = kept.filter((one) => !context.words.isDead(one))
  if (kept.length > 0 && !grant) return { ok: false, answer: { kind: 'nothing', why: 'rejected' } }
  // Its key may have been revoked since, or the file may have been changed.
  const holds =
    grant !== undefined &&
    grant.expiresAt * 1000 > now &&
    (await context.keys.licenseJwt(grant.jwt, grant.product, instanceId, 'unexpired')) !== null
  if (!holds) return { ok: false, answer: { kind: 'nothing', why: 'lease_over' } }
  return { ok: true, grant, cache: cacheOf(context, context.syncedAt(grant.licenseId)) }
}

/** Answer to exchange and refresh. */
export async function offlineToken(
  context: OfflineContext,
  request: InstanceRequest,
): Promise<OfflineAnswer> {
  const found = await held(context, request)
  if (!found.ok) return found.answer
  const { grant, cache } = found
  const instance = context.grants.instance(grant.product, grant.instanceId)
  return {
    kind: 'kept',
    cache,
    body: {
      jwt: grant.jwt,
      expires_in: grant.expiresAt - Math.floor(context.now() / 1000),
      message: MESSAGE,
      action: 'none',
      config: configOf(context, request, instance?.config ?? null),
    },
  }
}

/** Answer to activate (`active`) and validate (`valid`). */
export async function offlineSeat(
  context: OfflineContext,
  request: InstanceRequest,
  status: 'active' | 'valid',
): Promise<OfflineAnswer> {
  const found = await held(context, request)
  if (!found.ok) return found.answer
  const { grant, cache } = found
  if (grant.answer === null) return { kind: 'nothing', why: 'unknown_instance' }
  const entitlement = await liveEntitlement(context, grant)
  return {
    kind: 'kept',
    cache,
    body: {
      ...(JSON.parse(grant.answer) as Record<string, unknown>),
      status,
      jwt: grant.jwt,
      expires_in: grant.expiresAt - Math.floor(context.now() / 1000),
      ...(entitlement === null ? {} : { entitlement_token: entitlement }),
    },
  }
}

/** Answer to a heartbeat of an instance that the relay knows; the report itself is kept elsewhere. */
export async function offlineHeartbeat(
  context: OfflineContext,
  request: InstanceRequest,
): Promise<OfflineAnswer> {
  const instanceId = instanceIdOf(request)
  const product = productOf(request)
  const instance =
    instanceId === null || product === null ? null : context.grants.instance(product, instanceId)
  if (!instance) return { kind: 'nothing', why: 'unknown_instance' }
  const action = actionOf(context, instance.product, instance.instanceId)
  const [grant] = context.grants
    .ofInstance(instance.product, instance.instanceId)
    .filter((one) => !context.words.isDead(one))
  const entitlement = grant && action === 'none' ? await liveEntitlement(context, grant) : null
  const shown = entitlement !== null && (await isProven(context, request, instance.instanceId))
  return {
    kind: 'kept',
    cache: cacheOf(context, lastHeard(context, instance)),
    body: {
      status: 'ok',
      action,
      config: {
        // Never one that advances a chain: the vendor alone hands those out (T5).
        feature_refresh_token: randomBytes(32).toString('hex'),
        ...configOf(context, request, instance.config),
      },
      ...(shown ? { entitlement_token: entitlement } : {}),
    },
  }
}

/** Answer to register and deactivate of an instance that the relay knows: nothing is granted by either. */
export function offlineKnown(
  context: OfflineContext,
  request: InstanceRequest,
  status: 'registered' | 'deactivated',
): OfflineAnswer {
  const instanceId = instanceIdOf(request)
  const product = productOf(request)
  const instance =
    instanceId === null || product === null ? null : context.grants.instance(product, instanceId)
  if (!instance) return { kind: 'nothing', why: 'unknown_instance' }
  return { kind: 'kept', cache: cacheOf(context, lastHeard(context, instance)), body: { status } }
}

/** The license that a credential of the request proves at this instance, or that its own JWT names. */
export async function provenLicense(
  { grants, keys, hash, now }: Memory,
  request: InstanceRequest,
  instanceId: string,
  age: LeaseAge = 'unexpired',
): Promise<{ product: string; licenseId: string } | null> {
  for (const { hmac } of shownProofs(request, hash)) {
    const [known] = grants.proven(hmac, instanceId)
    if (known) return known
  }
  const jwt = shownJwt(request)
  if (jwt === null || grants.isRefused(hash('jwt', jwt))) return null
  const claims = await keys.licenseJwt(jwt, productOf(request), instanceId, age)
  if (claims?.instance_id !== instanceId) return null
  const license = { product: claims.aud, licenseId: claims.license_id }
  if (claims.exp * 1000 > now()) return license
  // An expired one may lie in any old backup: alone it is no proof where a better one is known (T8).
  const chain = shownChain(request, hash)
  const isLive = chain !== null && grants.proven(chain, instanceId).some(isOf(license))
  return isLive || !grants.hasProof({ ...license, instanceId }) ? license : null
}

const isOf =
  (license: { product: string; licenseId: string }) =>
  (proven: { product: string; licenseId: string }): boolean =>
    proven.product === license.product && proven.licenseId === license.licenseId

/** Open products send no credential with a heartbeat: a token of an instance then goes to nobody. */
async function isProven(context: Memory, request: InstanceRequest, instanceId: string): Promise<boolean> {
  return (await provenLicense(context, request, instanceId)) !== null
}

/**
 * The last signed word about it. Where there never was one, the client asks for none: what the vendor told it in plain
 * words is told again, as its protocol has it.
 */
export function actionOf({ words, grants }: Memory, product: string, instanceId: string): Action {
  return words.ofInstance(product, instanceId) ?? grants.instance(product, instanceId)?.action ?? 'none'
}

async function liveEntitlement({ keys, words }: Memory, grant: KeptGrant): Promise<string | null> {
  if (grant.entitlement === null) return null
  const claims = await keys.entitlement(grant.entitlement, grant.product, grant.instanceId)
  if (!claims || words.isDead({ ...grant, issuedAt: claims.issued_at })) return null
  return grant.entitlement
}

/** When the vendor last spoke of the instance's license; of the instance, where it has none. Unix milliseconds. */
function lastHeard({ grants, syncedAt }: OfflineContext, instance: KeptInstance): number {
  const [grant] = grants.ofInstance(instance.product, instance.instanceId)
  return grant ? syncedAt(grant.licenseId) : instance.syncedAt
}

/** `Leasehold-Cache` of an answer about what the vendor said last then, in unix milliseconds. */
export function cacheOf({ times, now }: Pick<OfflineContext, 'times' | 'now'>, syncedAt: number): string {
  return cacheHeader(syncState({ syncedAt, endsAt: null }, times, now()), syncedAt, now())
}

function configOf(
  { intervals }: OfflineContext,
  { sync }: InstanceRequest,
  kept: string | null,
): Record<string, unknown> {
  return {
    heartbeat_interval: intervals.heartbeat,
    refresh_interval: intervals.refresh,
    sync,
    ...(kept === null ? {} : (JSON.parse(kept) as Record<string, unknown>)),
  }
}
