// Which request a task comes to, which is next, and when the state has to be looked at again.
import { isInForce } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import { now } from '../time/clock.ts'
import { isAllowedUrl } from '../wire/url.ts'
import type { RequestKind } from './events.ts'
import type { SdkState, TaskKind } from './state.ts'
import { chosenGrant, circumstances } from './view.ts'

/** Order among tasks that are due together: a license key is activated by an instance that is registered. */
const BY_LICENSE_KEY: readonly TaskKind[] = ['register', 'grant', 'heartbeat']
const OTHERWISE: readonly TaskKind[] = ['grant', 'register', 'heartbeat']

/** How often the floor is saved at least: T7 asks for an hour, a process that is killed should lose less. */
export const SAVE_FLOOR = 10 * 60_000

/** The longest time between two looks at the clocks. */
export const LONGEST_LOOK = 60_000

export function isAsking(state: SdkState): boolean {
  return state.role === 'leader' || state.role === 'alone'
}

export function requestOf(state: SdkState, task: TaskKind): RequestKind | null {
  if (task === 'grant') return grantRequest(state)
  return state.config.serverUrl === null ? null : task
}

/** The license JWT to refresh: the newest of the static token's license, if its mode is the one in use. */
export function refreshableJwt(state: SdkState): Grant | null {
  if (!isStaticMode(state)) return null
  const { slots, config } = state
  const chosen = chosenGrant(state)
  // A rejected one goes on asking.
  const newest = chosen?.kind === 'jwt' ? chosen : newestJwt(slots)
  return newest?.refreshUrl && isAllowedUrl(newest.refreshUrl, config.allowInsecure) ? newest : null
}

/** The server that is asked: with a token alone, the one that renews it. */
export function serverOf(state: SdkState): string | null {
  return state.config.serverUrl ?? refreshableJwt(state)?.refreshUrl ?? null
}

function newestJwt({ static: fixed, session }: SdkState['slots']): Grant | null {
  const isLater =
    session?.kind === 'jwt' &&
    session.licenseId === fixed?.licenseId &&
    (session?.issuedAt ?? 0) > (fixed?.issuedAt ?? 0)
  return isLater ? session : fixed
}

/**
 * Whether the static token decides: nothing else is asked for a license then, and nothing is cached. One that has ended
 * leaves the word to the API key or license key beside it, also where those bring the same license.
 */
export function isStaticMode(state: SdkState): boolean {
  const { slots, config } = state
  if (slots.static === null) return false
  if (config.apiKey === null && config.licenseKey === null) return true
  return isInForce(slots.static, circumstances(state))
}

function grantRequest(state: SdkState): RequestKind | null {
  // A kill stops re-activation; the heartbeat hears when it is cleared.
  if (state.action?.action === 'kill') return null
  if (isStaticMode(state)) return refreshableJwt(state) ? 'refresh' : null
  if (state.config.serverUrl === null) return null
  if (state.config.apiKey !== null) return 'exchange'
  if (state.config.licenseKey === null) return null
  return state.activated ? 'validate' : 'activate'
}

/** The next request to send; null while one is in flight, nothing is due, or the server is left alone. */
export function nextRequest(state: SdkState): { task: TaskKind; request: RequestKind } | null {
  const { time, tasks, outage, inFlight } = state
  if (!isAsking(state) || inFlight !== null || time.elapsed < outage.until) return null
  let next: { task: TaskKind; request: RequestKind; dueAt: number } | null = null
  for (const task of order(state)) {
    const { dueAt } = tasks[task]
    if (dueAt === null || dueAt > time.elapsed || (next !== null && next.dueAt <= dueAt)) continue
    const request = requestOf(state, task)
    if (request !== null) next = { task, request, dueAt }
  }
  return next
}

function order(state: SdkState): readonly TaskKind[] {
  const byKey = state.config.licenseKey !== null && state.config.apiKey === null
  return byKey && !isStaticMode(state) ? BY_LICENSE_KEY : OTHERWISE
}

/** Milliseconds until the state has to be looked at again: a deadline, the end of a window, or a minute. */
export function nextLook(state: SdkState): number {
  const { time, tasks, outage } = state
  let wait = LONGEST_LOOK
  const consider = (ms: number) => {
    if (ms > 0 && ms < wait) wait = ms
  }
  if (isAsking(state) && state.inFlight === null) {
    for (const task of order(state)) {
      const { dueAt } = tasks[task]
      if (dueAt !== null && requestOf(state, task)) consider(Math.max(dueAt, outage.until) - time.elapsed)
    }
  }
  consider(state.saveDueAt - time.elapsed)
  const at = now(time)
  for (const grant of Object.values(state.slots)) {
    for (const end of [grant?.window.activeUntil, grant?.window.graceUntil]) {
      // Held through its last second: the change comes with the next one.
      if (end !== undefined && end !== null) consider((end + 1) * 1000 - at)
    }
  }
  if (state.hints.want !== null) consider(state.hints.notBefore - time.elapsed)
  for (const from of state.revokedKeys.values()) consider(from - time.elapsed)
  return Math.ceil(wait)
}
