// The relay's standing, gathered once for the local API, the metrics and the page. Decides nothing.
import type { RelayLicense } from '../../contract/relay-api.ts'
import { type DevelopmentLicense, type DevelopmentState, developmentState } from '../development.ts'
import type { FrontContext } from '../front/answers.ts'
import type { Allotments } from '../seats/allotments.ts'
import { type FreshnessTimes, type SyncState, syncState } from '../states.ts'
import type { LeaseStore } from '../store/leases.ts'
import type { ReportQueue } from '../store/queue.ts'
import type { SyncEngine, SyncStanding } from '../sync/engine.ts'
import type { KnownLicenses } from '../sync/licenses.ts'
import type { Upstream } from '../upstream/client.ts'

const DAY_MS = 86_400_000

export interface LicenseStanding extends RelayLicense {
  state: SyncState
  /** Unix milliseconds of what the vendor last said of it. */
  syncedAt: number
  /** Whole days, −1 past the end, null if perpetual. */
  daysLeft: number | null
  /** Instances with a grant in force, and seats leased by this relay. */
  instances: number
  leased: number
  /** Whether the license names a machine that is not this one. */
  foreignMachine: boolean
}

export interface Standing {
  /** Unix milliseconds of this look. */
  at: number
  relayId: string
  fingerprint: string
  upstream: { url: string; away: boolean | null; live: boolean }
  sync: SyncStanding
  /** Unix milliseconds of the last list of licenses. */
  syncedAt: number
  licenses: LicenseStanding[]
  queue: ReturnType<ReportQueue['standing']>
  counts: FrontContext['counts']
  /** Shares from 0 to 1; null before there is anything to share. */
  hitRate: number | null
  syncRate: number | null
  graceRate: number | null
  sockets: number
  development: DevelopmentState
}

export interface StandingParts {
  relayId: string
  fingerprint: string
  upstreamUrl: string
  upstream: Upstream
  isLive(): boolean
  sync: SyncEngine
  known(): KnownLicenses
  front: Pick<FrontContext, 'counts' | 'grants' | 'binding' | 'syncedAt'>
  leases: LeaseStore
  allotments: Allotments
  queue: ReportQueue
  times: FreshnessTimes
  sockets(): number
  development: DevelopmentLicense | null
  /** Unix milliseconds. */
  now(): number
}

export function standingOf(parts: StandingParts): Standing {
  const now = parts.now()
  const { licenses, syncedAt } = parts.known()
  const { counts } = parts.front
  const sync = parts.sync.standing()
  const held = parts.front.grants.all().filter((grant) => grant.expiresAt * 1000 > now)
  return {
    at: now,
    relayId: parts.relayId,
    fingerprint: parts.fingerprint,
    upstream: { url: parts.upstreamUrl, away: parts.upstream.isAway(), live: parts.isLive() },
    sync,
    syncedAt,
    licenses: licenses.map((license) => ({
      ...license,
      ...timeLeft(license, parts.front.syncedAt(license.license_id), parts.times, now),
      instances: held.filter(({ licenseId }) => licenseId === license.license_id).length,
      leased: parts.leases.live(license.license_id, Math.floor(now / 1000)).length,
      foreignMachine: parts.front.binding.isForeign(license.license_id),
    })),
    queue: parts.queue.standing(),
    counts: { ...counts },
    hitRate: share(counts.kept, counts.kept + counts.missed),
    syncRate: share(sync.succeeded, sync.succeeded + sync.failed),
    graceRate: share(counts.inGrace, counts.kept + counts.missed + counts.forwarded),
    sockets: parts.sockets(),
    development: developmentState(parts.development, licenses.length),
  }
}

function timeLeft(license: RelayLicense, syncedAt: number, times: FreshnessTimes, now: number) {
  const endsAt = license.expires_at === null ? null : Date.parse(license.expires_at)
  const daysLeft = endsAt === null ? null : now > endsAt ? -1 : Math.floor((endsAt - now) / DAY_MS)
  return { state: syncState({ syncedAt, endsAt }, times, now), syncedAt, daysLeft }
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)
