// What must hold after each turn of the reducer, whatever happened before (T1 to T3, T6, T7).

import { isDeepStrictEqual } from 'node:util'
import type { Grant } from '../../../src/sdk/grants/grant.ts'
import type { TimedEvent } from '../../../src/sdk/state/events.ts'
import type { Reduced } from '../../../src/sdk/state/reduce.ts'
import type { SdkState } from '../../../src/sdk/state/state.ts'
import { floorNow, now } from '../../../src/sdk/time/clock.ts'

const held = ({ slots }: SdkState): Grant[] => Object.values(slots).filter((grant) => grant !== null)

/** The rules once more, written apart from the code: in its window, issued after its license's rejection, key good. */
function isLiving(
  { window, licenseId, issuedAt, kid }: Grant,
  state: Pick<SdkState, 'rejections' | 'revokedKeys' | 'time'>,
): boolean {
  const rejectedAt = state.rejections[licenseId]?.iat ?? -1
  const keyEndsAt = state.revokedKeys.get(kid) ?? Number.POSITIVE_INFINITY
  const second = Math.floor(now(state.time) / 1000)
  const ended = window.graceUntil !== null && second > window.graceUntil
  return !ended && issuedAt > rejectedAt && state.time.elapsed < keyEndsAt
}

/** The sentences that this turn broke. */
export function violations(before: SdkState, event: TimedEvent, { state, effects }: Reduced): string[] {
  const broken: string[] = []
  const must = (holds: boolean, sentence: string) => {
    if (!holds) broken.push(sentence)
  }
  const living = held(state).filter((grant) => isLiving(grant, state))
  const granted = new Set([...state.config.community.features, ...living.flatMap((grant) => grant.features)])
  must(
    state.view.features.every((feature) => granted.has(feature)),
    'features never appear without a verified grant in force',
  )
  const masked = state.action !== null && state.action.action !== 'none'
  must(
    !masked || state.view.features.every((feature) => state.config.community.features.includes(feature)),
    'killed or downgraded, only the community features are there',
  )

  const directive =
    event.type === 'answered' && event.outcome.kind === 'answer' && event.outcome.directive !== null
  const grant = event.type === 'answered' && event.outcome.kind === 'answer' && event.outcome.grant !== null
  // What is older than the last word is not news to whoever has heard that word.
  const isOld =
    event.type === 'read' &&
    before.role !== 'follower' &&
    before.action !== null &&
    event.stored.time.floor_epoch <= before.time.floorEpoch &&
    (event.stored.action === null || event.stored.action.iat < before.action.iat)
  const read = (event.type === 'read' && !isOld) || event.type === 'opened'
  const word = directive || grant || read
  const answeredGrant =
    event.type === 'answered' && event.outcome.kind === 'answer' ? event.outcome.grant : null
  must(
    directive ||
      read ||
      Object.entries(before.rejections).every(([id, was]) => {
        const later = answeredGrant?.licenseId === id && answeredGrant.issuedAt > was.iat
        return later || (state.rejections[id]?.iat ?? -1) >= was.iat
      }),
    'a verified rejection is never undone by an outage, nor by an older grant',
  )
  must(directive || read || state.action === before.action, 'only a fresh word changes the action')

  const wasLiving = held(before).filter((grant) => isLiving(grant, before))
  const untouched = wasLiving.filter((grant) => isLiving(grant, { ...before, time: state.time }))
  must(
    word ||
      event.type === 'keys_revoked' ||
      event.type === 'released' ||
      untouched.every((grant) => held(state).includes(grant) && isLiving(grant, state)),
    'an outage alone never removes what is still valid',
  )

  must(
    directive || read || floorNow(state.time) >= floorNow(before.time) - 1,
    'time never runs behind what was vouched for',
  )
  must(state.time.elapsed >= before.time.elapsed, 'running time never goes back')
  must(state.time.policy === 'warn' || now(state.time) >= floorNow(state.time), 'the floor holds')

  const changes = effects.filter((effect) => effect.type === 'change')
  const differs = !isDeepStrictEqual({ ...before.view, reason: '' }, { ...state.view, reason: '' })
  must(changes.length <= 1, 'no two events for one change')
  must(!before.settled || !differs || changes.length === 1, 'one event per change')
  must(
    differs || changes.length === 0 || before.view.reason !== state.view.reason,
    'no event without a change',
  )

  must(effects.filter((effect) => effect.type === 'send').length <= 1, 'one request at a time')
  must(
    !effects.some((effect) => effect.type === 'send') ||
      before.inFlight === null ||
      event.type === 'answered' ||
      event.type === 'not_sent' ||
      event.type === 'role',
    'no request while another is in flight',
  )
  must(
    !effects.some(
      (effect) =>
        effect.type === 'send' && ['exchange', 'activate', 'refresh', 'validate'].includes(effect.request),
    ) || state.action?.action !== 'kill',
    'killed, no license is asked for',
  )
  return broken
}
