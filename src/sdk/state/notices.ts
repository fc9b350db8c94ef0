// Warnings to the log that time brings: the clock, a cached license, the days to an end. Each once, across restarts.
import { DAY, isThrough } from '../../license/times.ts'
import type { Grant } from '../grants/grant.ts'
import { floorNow, nowSeconds } from '../time/clock.ts'
import { isAsking, isStaticMode, refreshableJwt } from './requests.ts'
import type { SdkState } from './state.ts'
import { type Turn, update, updateKept, warn } from './turn.ts'
import { chosenGrant, isMasked } from './view.ts'

/** Days before the license's end at which a warning is due. */
const EXPIRY_DAYS = [1, 7, 14, 30, 60] as const
/** Warnings that are remembered; older ones concern licenses long gone. */
const MOST_SHOWN = 64

/** One warning each time the wall clock is found behind the floor (T7). */
export function noticeClock(turn: Turn, behind: boolean): void {
  const { clockWarned, time } = turn.state
  if (behind === clockWarned) return
  update(turn, { clockWarned: behind })
  if (!behind) return
  const floor = new Date(floorNow(time)).toISOString()
  const wall = new Date(time.at.wall).toISOString()
  const counted = {
    floor: 'the later time counts',
    warn: 'it is believed',
    deny: 'community tier until it is right',
  }
  warn(turn, `The clock shows ${wall}, but it is at least ${floor}: ${counted[time.policy]}`)
}

/** Why a cached license is in use: the reference's words (section 2). */
export function announceCache(turn: Turn): void {
  const { state } = turn
  if (!state.cacheNotice) return
  const chosen = chosenGrant(state)
  update(turn, { cacheNotice: false })
  if (chosen?.origin !== 'cache') return
  if (!isThrough(chosen.window.activeUntil ?? Number.POSITIVE_INFINITY, { now: nowSeconds(state.time) })) {
    warn(turn, 'Using cached license (expired, within grace period)')
  } else if (state.config.apiKey !== null) {
    warn(turn, 'Using cached license (API key fetch failed)')
  } else {
    warn(turn, 'Using cached license (license key activation failed)')
  }
}

/** Days of grace each day; days to the license's end at 60, 30, 14, 7 and 1. */
export function noticeEnds(turn: Turn): void {
  const { state } = turn
  if (!state.settled || !isAsking(state) || isMasked(state)) return
  const grant = chosenGrant(state)
  if (!grant) return
  if (state.view.state === 'GRACE') noticeGrace(turn, grant)
  const end = endOf(state, grant)
  if (end === null || state.view.state !== 'ACTIVE') return
  const left = end - nowSeconds(state.time)
  const days = EXPIRY_DAYS.find((limit) => left <= limit * DAY)
  if (days === undefined) return
  const rounded = Math.max(0, Math.ceil(left / DAY))
  once(turn, `expiry:${grant.licenseId}:${end}:${days}`, [
    `License expires in ${count(rounded)} (${dateOf(end)}): renew it in time`,
    // Whoever starts late hears the nearest warning alone.
    ...EXPIRY_DAYS.filter((limit) => limit > days).map(
      (limit) => `expiry:${grant.licenseId}:${end}:${limit}`,
    ),
  ])
}

function noticeGrace(turn: Turn, grant: Grant): void {
  const end = grant.window.graceUntil
  if (end === null) return
  const left = Math.max(0, Math.ceil((end - nowSeconds(turn.state.time)) / DAY))
  const what = turn.state.view.reason === 'license_expired' ? 'has expired' : 'could not be renewed'
  once(turn, `grace:${grant.licenseId}:${end}:${left}`, [
    `License ${what} and is in its grace period: ${count(left)} left (until ${dateOf(end)})`,
  ])
}

function once(turn: Turn, key: string, [message, ...alsoShown]: readonly [string, ...string[]]): void {
  const { shown } = turn.state
  if (shown.includes(key)) return
  updateKept(turn, {
    shown: [...shown, ...alsoShown.filter((other) => !shown.includes(other)), key].slice(-MOST_SHOWN),
  })
  warn(turn, message)
}

/** The license's own end; of a static token that nothing renews, the token's. */
export function endOf(state: SdkState, grant: Grant): number | null {
  if (isStaticMode(state) && refreshableJwt(state) === null) return grant.window.activeUntil
  return grant.licenseExp
}

const count = (days: number) => `${days} ${days === 1 ? 'day' : 'days'}`

export function dateOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
