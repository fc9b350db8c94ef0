import { describe, expect, test } from 'vitest'
import { DAY, HOUR, ISSUER, json, makeWorld, start, type World } from './support/world.ts'

const YEAR = 365 * DAY

const pinned = (world: World) => ({
  issuer: ISSUER,
  roots: [world.server.root.x],
  keys: [{ x: world.server.raw.x, use: 'raw' as const }],
})

describe('a static token that has ended, beside an API key of the same license', () => {
  test('leaves everything to the key: exchange, cache, and what a restart finds', async () => {
    const world = makeWorld()
    const token = world.server.jwt({
      exp: world.server.iat() + 3600,
      grace_days: 0,
      refresh_url: 'https://license.example.com/api/v1/licenses/refresh',
    })
    await world.time.advance(DAY)
    const first = await start(world, { token, apiKey: 'sk-1' })
    expect(first.license).toMatchObject({ state: 'ACTIVE', source: 'online' })
    await world.time.settle()
    expect(world.folder.files.has('license-cache.jwt')).toBe(true)
    await world.time.advance(2 * DAY)
    expect(world.server.paths()).not.toContain('refresh')
    expect(world.server.paths().filter((path) => path === 'token').length).toBeGreaterThan(2)
    await first.license.stop()
    world.server.down = true
    const { license } = await start(world, { token, apiKey: 'sk-1' })
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'cache' })
  })
})

describe('a license key', () => {
  test('first used under a clock that is ahead holds its days from when the clock is right', async () => {
    for (const restart of [true, false]) {
      const world = makeWorld()
      const licenseKey = world.server.licenseKey()
      const given = { licenseKey, trust: pinned(world), graceDays: 2 }
      world.server.down = true
      world.time.shiftWall(100 * DAY)
      let { license } = await start(world, given)
      expect(license.state).toBe('GRACE')
      await world.time.advance(HOUR)
      world.time.shiftWall(-100 * DAY)
      if (restart) {
        await license.stop()
        ;({ license } = await start(world, given))
      }
      await world.time.advance(2 * DAY - 2 * HOUR)
      expect(license.state).toBe('GRACE')
      await world.time.advance(4 * HOUR)
      expect(license.state).toBe('EXPIRED')
    }
  })

  test('confirmed by a server whose clock was a year ahead holds its grace from when that is healed', async () => {
    const world = makeWorld()
    world.server.license = { grace_days: 2 }
    const given = { licenseKey: world.server.licenseKey(), trust: pinned(world) }
    const { license } = await start(world, given)
    world.server.ahead = YEAR / 1000
    await license.refreshNow()
    world.server.ahead = 0
    await world.time.advance(HOUR)
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
    world.server.down = true
    await world.time.advance(4 * DAY)
    expect(license.state).toBe('EXPIRED')
  })

  test('is not confirmed anew by an answer of the past that someone repeats for ever', async () => {
    const world = makeWorld()
    world.server.license = { grace_days: 4 }
    const given = { licenseKey: world.server.licenseKey(), trust: pinned(world) }
    const { license } = await start(world, given)
    await world.time.settle()
    const jwt = world.server.jwt({ instance_id: license.instanceId })
    const activated = world.server.received.find(({ path }) => path.endsWith('activate'))
    const directive = world.server.directiveFor(activated?.body)
    world.server.override = ({ path }) =>
      /activate|validate/.test(path)
        ? json({ status: path.endsWith('activate') ? 'active' : 'valid', jwt, directive })
        : json({ status: 'ok' })
    await world.time.advance(2 * DAY)
    expect(license.state).toBe('GRACE')
    expect(world.server.received.length).toBeLessThan(80)
    // A new process activates again: the same answer, and no more than it said the first time.
    await license.stop()
    const { license: restarted } = await start(world, given)
    await world.time.advance(DAY)
    expect(restarted.state).toBe('GRACE')
    await world.time.advance(3 * DAY)
    expect(restarted).toMatchObject({ state: 'EXPIRED', source: 'community' })
  })
})
