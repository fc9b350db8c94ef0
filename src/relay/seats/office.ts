// Gives new instances a seat of the license's allotment while the vendor is away, and takes seats back.
import { PERPETUAL } from '../../contract/catalog.ts'
import { rfc3339 } from '../../platform/time.ts'
import type { OfflineAnswer } from '../front/offline.ts'
import { actionOf, cacheOf } from '../front/offline.ts'
import type { Memory } from '../front/remember.ts'
import { type InstanceRequest, instanceIdOf, productOf, word } from '../front/request.ts'
import { shownProofs } from '../proofs.ts'
import type { FreshnessTimes } from '../states.ts'
import type { LeaseStore } from '../store/leases.ts'
import type { LicenseSyncedAt } from '../sync/freshness.ts'
import type { HeldAllotment } from './allotments.ts'
import { type FullHouse, fullHouseWords } from './full-house.ts'
import type { SignLease } from './lease.ts'

/** A lease lasts as long as a license JWT does, and never longer than its allotment. */
export const LEASE_SECONDS = 86_400

export interface SeatOffice {
  /** Null where no allotment covers the request. */
  lease(request: InstanceRequest): Promise<OfflineAnswer | null>
  /** Whether the instance had a leased seat, which is free now. */
  giveBack(request: InstanceRequest): Promise<boolean>
  /** The vendor granted the instance a seat of its own: the leased one is the relay's again. */
  replaced(by: { product: string; instanceId: string; licenseId: string }): void
}

export interface SeatOfficeParts extends Memory {
  times: FreshnessTimes
  syncedAt: LicenseSyncedAt
  relayId: string
  sign: SignLease
  leases: LeaseStore
  /** Unix seconds: until then leases are believed somewhere that went with a torn cache; no seat is leased beside them. */
  leasesKnownFrom: number
  /** The allotment in force for a license, verified. */
  allotment(licenseId: string): HeldAllotment | null
  /** A seat was leased or returned: to be told to the vendor. */
  onChange(): void
}

export function seatOffice(parts: SeatOfficeParts): SeatOffice {
  const { leases, grants, words } = parts

  return {
    async lease(request) {
      const instanceId = instanceIdOf(request)
      const license = instanceId === null ? null : await licenseShown(parts, request)
      const held = license === null ? null : parts.allotment(license.licenseId)
      if (instanceId === null || license === null || held === null) return null
      const { claims, token } = held
      const action = actionOf(parts, claims.aud, instanceId)
      if (action === 'kill') return { kind: 'killed' }
      if (action !== 'none') return { kind: 'nothing', why: 'rejected' }
      const issuedAt = Math.floor(parts.now() / 1000)
      if (issuedAt < parts.leasesKnownFrom) return null
      if (words.isDead({ product: claims.aud, licenseId: claims.license_id, issuedAt: claims.nbf })) {
        return { kind: 'nothing', why: 'rejected' }
      }
      const expiresAt = Math.min(issuedAt + LEASE_SECONDS, claims.exp)
      if (expiresAt <= issuedAt) return null
      const lease = {
        licenseId: claims.license_id,
        instanceId,
        product: claims.aud,
        allotment: claims.jti,
        issuedAt,
        expiresAt,
      }
      // The next request of this instance, a heartbeat or a refresh, is answered as that of any other.
      const known = { product: claims.aud, instanceId, licenseId: claims.license_id }
      const full = parts.commits.write(() => {
        const met = leases.take(lease, claims.seats)
        if (met !== null) return met
        for (const { hmac, kind } of shownProofs(request, parts.hash)) {
          grants.prove(hmac, kind, known, parts.now())
        }
        grants.touch({ ...known, action, config: null, syncedAt: held.syncedAt, seenAt: parts.now() })
        return null
      })
      const cache = cacheOf(parts, parts.syncedAt(claims.license_id) || held.syncedAt)
      if (full !== null) return denial(request, held, full, cache)
      const signed = await parts.sign({ relayId: parts.relayId, ...lease, allotment: token })
      parts.onChange()
      return { kind: 'kept', cache, body: body(request, held, signed, expiresAt - issuedAt) }
    },
    async giveBack(request) {
      const [product, instanceId] = [productOf(request), instanceIdOf(request)]
      if (product === null || instanceId === null) return false
      const license = await licenseShown(parts, request)
      const given = license !== null && leases.giveBack(product, instanceId, license.licenseId)
      if (given) parts.onChange()
      return given
    },
    replaced({ product, instanceId, licenseId }) {
      if (leases.giveBack(product, instanceId, licenseId)) parts.onChange()
    },
  }
}

/** The license whose API key or license key is shown: one that the vendor accepted here before, or signed. */
async function licenseShown(
  { grants, keys, hash }: SeatOfficeParts,
  request: InstanceRequest,
): Promise<{ licenseId: string } | null> {
  const proofs = shownProofs(request, hash)
  if (proofs.some(({ hmac }) => grants.isRefused(hmac))) return null
  for (const { hmac, kind } of proofs) {
    const known = kind === 'instance_token' ? null : grants.licenseOf(hmac)
    if (known) return known
  }
  const [key, product] = [word(request.body.license_key, 8192), productOf(request)]
  return key === null || product === null ? null : keys.licenseKey(key, product)
}

/** A denial is an answer where a license key asks (reference, section 1); an API key waits for the vendor. */
function denial(
  request: InstanceRequest,
  held: HeldAllotment,
  full: FullHouse,
  cache: string,
): OfflineAnswer {
  if (request.body.license_key === undefined) return { kind: 'full', full }
  return {
    kind: 'kept',
    cache,
    body: { ...seatFacts(held), status: 'limit_reached', ...full, ...fullHouseWords(full) },
  }
}

function body(
  request: InstanceRequest,
  held: HeldAllotment,
  lease: string,
  expires_in: number,
): Record<string, unknown> {
  const common = { lease, expires_in, message: 'This seat is leased by the relay while the vendor is away.' }
  if (request.body.license_key === undefined) return { ...common, action: 'none' }
  const status = request.path.endsWith('/validate') ? 'valid' : 'active'
  return { ...seatFacts(held), ...common, status }
}

/** What activate and validate tell of the license (reference, section 1), as far as the allotment says it. */
function seatFacts({ claims }: HeldAllotment): Record<string, unknown> {
  const { tier, limits, customer_id, org_name = '', license_exp, trial } = claims.grant
  return {
    tier,
    limits,
    customer_id,
    customer_name: org_name,
    company: org_name,
    issued_at: rfc3339(new Date(claims.nbf * 1000)),
    expires_at: license_exp === undefined ? PERPETUAL : rfc3339(new Date(license_exp * 1000)),
    is_trial: trial ?? false,
  }
}
