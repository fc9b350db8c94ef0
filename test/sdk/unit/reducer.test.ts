import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DirectiveClaims } from '../../../src/contract/claims.ts'
import { windowOf } from '../../../src/license/state.ts'
import { NO_GRANTS } from '../../../src/sdk/grants/choose.ts'
import type { Grant } from '../../../src/sdk/grants/grant.ts'
import type { Config } from '../../../src/sdk/state/config.ts'
import type { Event, Outcome, RequestKind } from '../../../src/sdk/state/events.ts'
import { reduce } from '../../../src/sdk/state/reduce.ts'
import { initialState, type SdkState, type TaskKind } from '../../../src/sdk/state/state.ts'
import { toStored } from '../../../src/sdk/state/stored.ts'
import { violations } from './invariants.ts'

const NOW = 1_800_000_000
const DAY = 86_400

const config: Config = {
  product: 'keldris',
  version: '1.0.0',
  serverUrl: 'https://license.example.com',
  issuer: 'https://license.example.com',
  directives: 'key_set',
  instanceId: 'i1',
  bootId: '00000000-0000-4000-8000-000000000000',
  apiKey: 'sk-1',
  licenseKey: null,
  community: { tier: 'free', features: ['basic'], limits: { max_agents: 3 } },
  tiers: {},
  refreshInterval: DAY * 1000,
  heartbeatInterval: (DAY / 4) * 1000,
  graceDays: 30,
  clockPolicy: 'floor',
  allowInsecure: false,
  sync: true,
  fingerprint: null,
  hostname: null,
  os: null,
  arch: null,
}

function grantOf(more: Partial<Grant> & { issuedAt: number; life: number; grace: number }): Grant {
  const { life, grace, ...rest } = more
  return {
    kind: 'jwt',
    origin: 'online',
    vouchedAt: more.issuedAt,
    relay: null,
    token: `t${more.issuedAt}.${life}.${grace}`,
    kid: 'k1',
    licenseId: 'lic_1',
    window: windowOf({ exp: more.issuedAt + life, graceDays: grace }),
    tier: 'pro',
    features: ['oidc'],
    limits: { max_agents: 100 },
    unnamed: 'default',
    leaseExp: more.issuedAt + life,
    licenseExp: null,
    refreshUrl: null,
    bound: true,
    customer: null,
    trial: false,
    ...rest,
  }
}

const directiveOf = (more: Partial<DirectiveClaims>): DirectiveClaims => ({
  iss: config.issuer,
  aud: config.product,
  sub: config.instanceId,
  license_id: 'lic_1',
  status: 'active',
  action: 'none',
  seq: 1,
  keys: 1,
  nonce: 'abcdefghijklmnop',
  iat: NOW,
  exp: NOW + 300,
  reason: '',
  ...more,
})

const silence: Extract<Outcome, { kind: 'answer' }> = {
  kind: 'answer',
  status: 200,
  code: null,
  message: null,
  retryAfter: null,
  directive: null,
  grant: null,
  refused: null,
  refreshToken: null,
  instanceToken: null,
  entitlementHash: null,
  heartbeatInterval: null,
  refreshInterval: null,
}

// What may happen next: how far the clocks move, and an event made for the moment.
interface Step {
  ran: number
  shift: number
  make(state: SdkState, at: number, past: readonly SdkState[]): Event
}

const licenseId = fc.constantFrom('lic_1', 'lic_2')
const feature = fc.constantFrom('oidc', 'audit_logs', 'sso')
const offset = fc.integer({ min: -3 * DAY, max: 3 * DAY })

const grants = fc.record({
  at: offset,
  life: fc.constantFrom(3600, DAY, 30 * DAY),
  grace: fc.constantFrom(0, 2, 30),
  licenseId,
  features: fc.uniqueArray(feature),
  kid: fc.constantFrom('k1', 'k2'),
})
const directives = fc.record({
  at: offset,
  license_id: fc.option(licenseId, { nil: null }),
  status: fc.constantFrom(
    ...(['active', 'in_grace', 'unlicensed', 'limit_reached', 'suspended', 'revoked', 'expired'] as const),
  ),
  action: fc.constantFrom(...(['none', 'none', 'downgrade', 'kill'] as const)),
})

const REQUESTS: Record<TaskKind, RequestKind> = {
  register: 'register',
  grant: 'exchange',
  heartbeat: 'heartbeat',
}

const answered =
  (make: (at: number) => Outcome) =>
  (state: SdkState, at: number): Event =>
    state.inFlight === null
      ? { type: 'tick' }
      : {
          type: 'answered',
          sent: {
            task: state.inFlight,
            request: REQUESTS[state.inFlight],
            proven: true,
            withInstanceToken: true,
            term: state.term,
          },
          outcome: make(at),
        }

const happenings: fc.Arbitrary<Step['make']>[] = [
  fc.constant(() => ({ type: 'tick' })),
  fc.constant(() => ({ type: 'asked' })),
  fc.constant(() => ({ type: 'start_deadline' })),
  fc.constant(answered(() => ({ kind: 'unreachable', why: 'away' }))),
  fc
    .constantFrom(200, 400, 401, 403, 429, 500, 503)
    .map((status) => answered(() => ({ ...silence, status, retryAfter: 1e12, heartbeatInterval: 1e9 }))),
  fc
    .record({ directive: fc.option(directives, { nil: null }), grant: fc.option(grants, { nil: null }) })
    .map((said) =>
      answered((at) => ({
        ...silence,
        status: said.grant ? 200 : 403,
        directive: said.directive && directiveOf({ ...said.directive, iat: at + said.directive.at }),
        grant: said.grant && grantOf({ ...said.grant, issuedAt: at + said.grant.at }),
      })),
    ),
  fc.constantFrom('k1', 'k2').map((kid) => () => ({ type: 'keys_revoked', kids: [kid] })),
  fc.constantFrom('leader', 'follower', 'alone').map((role) => () => ({ type: 'role', role }) as const),
  fc.constantFrom('state', 'cache').map((what) => () => ({ type: 'save_failed', what }) as const),
  // The disk holds what was true at some time before, as after writes that failed.
  fc.nat().map((which) => (state, _at, past) => ({
    type: 'read',
    stored: toStored(past[which % past.length] ?? state),
    session: null,
  })),
]

const step: fc.Arbitrary<Step> = fc.record({
  ran: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 3_600_000 }),
    fc.integer({ min: 0, max: 3 * DAY * 1000 }),
  ),
  shift: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -400 * DAY * 1000, max: 400 * DAY * 1000 }) },
  ),
  make: fc.oneof(...happenings),
})

function opened(state: SdkState, cached: Grant | null): Event {
  return {
    type: 'opened',
    instanceId: state.config.instanceId,
    role: 'leader',
    stored: null,
    slots: { ...NO_GRANTS, session: cached },
    licenseKey: null,
    invalid: [],
    tried: [],
    credential: 'hash',
  }
}

describe('the reducer', () => {
  test('keeps its invariants through any sequence of events', () => {
    const seen = { changes: 0, killed: 0, rejected: 0, active: 0 }
    fc.assert(
      fc.property(
        fc.option(grants, { nil: null }),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        (cached, steps) => {
          const clock = { wall: NOW * 1000, mono: 0 }
          let state = initialState(config, { ...clock }, 1)
          const past: SdkState[] = []
          const play = (event: Event) => {
            const timed = { ...event, at: { ...clock } }
            const reduced = reduce(state, timed)
            expect(violations(state, timed, reduced)).toEqual([])
            seen.changes += reduced.effects.filter(({ type }) => type === 'change').length
            state = reduced.state
            past.push(state)
            if (state.view.killed) seen.killed++
            if (state.view.state === 'INVALID') seen.rejected++
            if (state.view.state === 'ACTIVE') seen.active++
          }
          play(opened(state, cached && grantOf({ ...cached, issuedAt: NOW + cached.at, origin: 'cache' })))
          for (const { ran, shift, make } of steps) {
            clock.mono += ran
            clock.wall += ran + shift
            play(make(state, Math.floor(clock.wall / 1000), past))
          }
        },
      ),
      { numRuns: 1500 },
    )
    // The sequences must have been through all of it.
    for (const times of Object.values(seen)) expect(times).toBeGreaterThan(500)
  })

  test('says the same after a restart as before, when nobody can be asked', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const clock = { wall: NOW * 1000, mono: 0 }
        let state = initialState(config, { ...clock }, 1)
        const play = (event: Event) => {
          state = reduce(state, { ...event, at: { ...clock } }).state
        }
        play(opened(state, null))
        for (const { ran, make } of steps) {
          clock.mono += ran
          clock.wall += ran
          const event = make(state, Math.floor(clock.wall / 1000), [])
          if (!['role', 'keys_revoked', 'read'].includes(event.type)) play(event)
        }
        play({ type: 'tick' })
        const before = state
        const { session } = before.slots
        const after = reduce(initialState(config, { ...clock }, 2), {
          ...(opened(before, session && { ...session, origin: 'cache' }) as Extract<
            Event,
            { type: 'opened' }
          >),
          stored: toStored(before),
          at: { ...clock },
        }).state
        expect({ ...after.view, source: '', reason: '' }).toEqual({ ...before.view, source: '', reason: '' })
      }),
      { numRuns: 500 },
    )
  })

  test('does not touch the state it is given', () => {
    const state = initialState(config, { wall: NOW * 1000, mono: 0 }, 1)
    const frozen = Object.freeze({ ...state })
    const { state: next } = reduce(frozen, {
      ...opened(state, null),
      at: { wall: NOW * 1000, mono: 0 },
    } as never)
    expect(next.inFlight).toBe('grant')
    expect(frozen.inFlight).toBeNull()
  })
})
