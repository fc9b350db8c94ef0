// The start: what was found, in the resolution order; whether the network has to be waited for.
import { stateWithin } from '../../license/state.ts'
import { licenseKeyGrant } from '../grants/grant.ts'
import { now, nowSeconds, raiseFloor } from '../time/clock.ts'
import { applyActivation } from './activation.ts'
import type { Opened } from './events.ts'
import { adoptStored } from './read.ts'
import { isAsking, isStaticMode, requestOf } from './requests.ts'
import { scheduleRefresh } from './scheduling.ts'
import { TASKS } from './state.ts'
import { dueIn, type Turn, update, updateKept } from './turn.ts'
import { chosenGrant } from './view.ts'

export function applyOpened(turn: Turn, event: Opened): void {
  turn.why = 'the SDK started'
  update(turn, { role: event.role, config: { ...turn.state.config, instanceId: event.instanceId } })
  if (event.stored) adoptStored(turn, event.stored)
  for (const grant of Object.values(event.slots)) {
    if (grant) update(turn, { time: raiseFloor(turn.state.time, grant.vouchedAt) })
  }
  const { config, time } = turn.state
  const at = new Date(now(time)).toISOString()
  const { licenseKey } = event
  update(turn, {
    slots: {
      ...event.slots,
      activation: null,
      licenseKey: licenseKey
        ? licenseKeyGrant(licenseKey.token, licenseKey.kid, licenseKey.payload, licenseKey.use, config.tiers)
        : null,
    },
    licenseKey,
    ownCredential: event.credential,
    invalid: event.invalid,
    tried: event.tried.map((step) => ({ ...step, at })),
  })
  if (event.activation) applyActivation(turn, event.activation)
  updateKept(turn, {})
  for (const task of TASKS) dueIn(turn, task, 0)
  // A static token is good as it is: its first refresh is a scheduled one, unless it is forced.
  if (isStaticMode(turn.state)) scheduleRefresh(turn, true)
  const request = requestOf(turn.state, 'grant')
  const asksFirst = request === 'exchange' || request === 'activate'
  update(turn, { cacheNotice: asksFirst && isAsking(turn.state) && usesCache(turn) })
  if (!mustWait(turn, event)) update(turn, { settled: true })
}

function usesCache(turn: Turn): boolean {
  return chosenGrant(turn.state)?.origin === 'cache'
}

/** Only for a first grant: not with a static token, nor with an unexpired cache of the same credential. */
function mustWait(turn: Turn, event: Opened): boolean {
  const { state } = turn
  if (!isAsking(state)) return chosenGrant(state) === null && event.credential !== null
  const request = requestOf(state, 'grant')
  if (request === null || request === 'refresh') return false
  const chosen = chosenGrant(state)
  if (chosen?.origin !== 'cache') return true
  const isOwn = event.credential !== null && state.credential === event.credential
  return !isOwn || stateWithin(chosen.window, nowSeconds(state.time)) !== 'ACTIVE'
}
