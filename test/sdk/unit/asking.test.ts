import { describe, expect, test } from 'vitest'
import type { Host } from '../../../src/sdk/host/port.ts'
import { drive } from '../../../src/sdk/runtime/driver.ts'
import { openGates } from '../../../src/sdk/runtime/gates.ts'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { reduce } from '../../../src/sdk/state/reduce.ts'
import { initialState, type SdkState } from '../../../src/sdk/state/state.ts'
import { makeWorld, type World } from './support/world.ts'

/** A license whose requests to one path wait until `open` is called. */
async function heldAt(world: World, path: string) {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const host = world.host()
  const held: Host = {
    ...host,
    async fetch(url, init) {
      if (url.endsWith(path)) await gate
      return host.fetch(url, init)
    },
  }
  const license = await world.time.during(startLicenseOn(held, world.options({ apiKey: 'sk-1' })))
  await world.time.settle()
  return { license, open }
}

describe('refreshNow', () => {
  test('settles when a kill arrives with the heartbeat that it has joined', async () => {
    const world = makeWorld()
    const { license, open } = await heldAt(world, '/heartbeat')
    world.server.directive = { action: 'kill' }
    const asked = license.refreshNow()
    open()
    await world.time.settle()
    await expect(Promise.race([asked, Promise.resolve('pending')])).resolves.toBeUndefined()
    expect(license.killed).toBe(true)
  })

  test('settles when the lead is lost under the heartbeat that it has joined', () => {
    const at = { wall: 0, mono: 0 }
    let state: SdkState = { ...firstState(), role: 'leader', inFlight: 'heartbeat' }
    state = reduce(state, { type: 'asked', at }).state
    expect(state.asked).toEqual(['grant', 'heartbeat'])
    const lost = reduce(state, { type: 'role', role: 'follower', at })
    expect(lost.state.asked).toEqual([])
    expect(lost.effects).toContainEqual({ type: 'asked_done' })
  })

  test('settles when another process has taken the lead meanwhile', async () => {
    const world = makeWorld()
    const { license, open } = await heldAt(world, '/heartbeat')
    const asked = license.refreshNow()
    world.folder.leader = {}
    open()
    await world.time.settle()
    await expect(Promise.race([asked, Promise.resolve('pending')])).resolves.toBeUndefined()
    expect(license.explain().role).toBe('follower')
  })

  test('settles when the process stops', async () => {
    const world = makeWorld()
    const { license } = await heldAt(world, '/heartbeat')
    const asked = license.refreshNow()
    await world.time.during(license.stop())
    await world.time.during(asked)
  })
})

describe('a reducer that fails', () => {
  test('does not reach the host: it is told, the state stays, and nobody waits for ever', async () => {
    const world = makeWorld()
    const host = world.host()
    const { config } = firstState()
    const broken = {
      ...firstState(),
      config: Object.defineProperty({ ...config }, 'community', {
        get() {
          throw new Error('broken inside')
        },
      }),
    }
    const driver = drive(broken, {
      host,
      gates: openGates(broken.view),
      trust: () => null,
      disk: () => null,
      send: async () => {},
      lookAfter: async () => {},
      onChange: () => {},
      onState: () => {},
    })
    driver.dispatch({ type: 'tick' })
    expect(driver.state()).toBe(broken)
    driver.dispatch({ type: 'start_deadline' })
    await driver.settled
    await driver.asked()
    expect(world.lines).toContain('warn License runtime: broken inside')
    driver.end()
  })
})

describe('an answer to a process that has lost the lead since', () => {
  test('changes nothing, also when it leads again', () => {
    const at = { wall: 0, mono: 0 }
    const { term } = firstState()
    let state: SdkState = { ...firstState(), role: 'leader', inFlight: 'grant' }
    for (const role of ['follower', 'leader'] as const)
      state = reduce(state, { type: 'role', role, at }).state
    const { inFlight } = state
    expect(inFlight).not.toBeNull()
    for (const event of [
      {
        type: 'answered',
        sent: { task: 'grant', request: 'exchange', proven: true, withInstanceToken: false, term },
        outcome: { kind: 'unreachable', why: 'late' },
        at,
      },
      { type: 'not_sent', term, at },
    ] as const) {
      const late = reduce(state, event)
      expect(late.state).toEqual(state)
      expect(late.effects).toEqual([])
    }
  })
})

function firstState(): SdkState {
  return initialState(
    {
      product: 'keldris',
      version: '1.0.0',
      serverUrl: 'https://license.example.com',
      issuer: 'https://license.example.com',
      directives: 'key_set',
      instanceId: 'i1',
      bootId: '00000000-0000-4000-8000-000000000000',
      apiKey: 'sk-1',
      licenseKey: null,
      community: { tier: 'free', features: [], limits: {} },
      tiers: {},
      refreshInterval: 86_400_000,
      heartbeatInterval: 21_600_000,
      graceDays: 30,
      clockPolicy: 'floor',
      allowInsecure: false,
      sync: true,
      fingerprint: null,
      hostname: null,
      os: null,
      arch: null,
    },
    { wall: 0, mono: 0 },
    1,
  )
}
