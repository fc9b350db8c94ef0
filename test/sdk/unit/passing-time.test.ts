import { describe, expect, test } from 'vitest'
import { DAY, HOUR, makeWorld, start, type World, warnings } from './support/world.ts'

const MINUTE = 60_000
const YEAR = 365 * DAY

/** Only what is about the clock. */
const clockWarnings = (world: World) => warnings(world).filter((line) => line.includes('The clock shows'))

describe('the wall clock (T7)', () => {
  const cases = [
    ['two hours back', -2 * HOUR, { floor: 'ACTIVE', warn: 'ACTIVE', deny: 'ACTIVE' }, 1],
    ['a year back', -YEAR, { floor: 'ACTIVE', warn: 'ACTIVE', deny: 'ACTIVE' }, 1],
    ['four minutes back', -4 * MINUTE, { floor: 'ACTIVE', warn: 'ACTIVE', deny: 'ACTIVE' }, 0],
    ['a year ahead', YEAR, { floor: 'EXPIRED', warn: 'EXPIRED', deny: 'EXPIRED' }, 0],
  ] as const

  for (const policy of ['floor', 'warn', 'deny'] as const) {
    test.each(cases)(
      `with policy ${policy}: %s, with the server away`,
      async (_name, shift, states, warned) => {
        const world = makeWorld()
        const { license } = await start(world, { apiKey: 'sk-1', clockPolicy: policy })
        world.server.down = true
        world.time.shiftWall(shift)
        await world.time.advance(3 * MINUTE)
        expect(license.state).toBe(states[policy])
        const denied = policy === 'deny' && warned > 0
        expect(license.source).toBe(states[policy] === 'EXPIRED' || denied ? 'community' : 'online')
        expect(license.reason === 'clock_behind').toBe(denied)
        expect(clockWarnings(world)).toHaveLength(warned)
        // The clock is set right again: all is as it was.
        world.time.shiftWall(-shift)
        await world.time.advance(3 * MINUTE)
        expect(license).toMatchObject({ state: 'ACTIVE', source: 'online' })
        expect(clockWarnings(world)).toHaveLength(warned)
      },
    )
  }

  test('has no daylight saving time: unix time does not change at the end of March', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    world.time.shiftWall(Date.UTC(2026, 2, 29, 0, 59) - world.time.wall())
    await license.refreshNow()
    await world.time.advance(2 * HOUR)
    expect(license.state).toBe('ACTIVE')
    expect(clockWarnings(world)).toEqual([])
  })

  test('set back, the floor counts on: a lease ends on its time', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    world.server.down = true
    world.time.shiftWall(-YEAR)
    await world.time.advance(DAY - MINUTE)
    expect(license.state).toBe('ACTIVE')
    await world.time.advance(2 * MINUTE)
    expect(license.state).toBe('GRACE')
  })

  test('believed (warn), a clock that was set back prolongs the lease', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1', clockPolicy: 'warn' })
    world.server.down = true
    world.time.shiftWall(-2 * HOUR)
    await world.time.advance(DAY + HOUR)
    expect(license.state).toBe('ACTIVE')
  })

  test('of a machine that slept three days: the license is asked for at once', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    world.server.received.length = 0
    world.time.shiftWall(3 * DAY)
    await world.time.advance(MINUTE)
    expect(world.server.paths()).toEqual(expect.arrayContaining(['token', 'heartbeat']))
    expect(license.state).toBe('ACTIVE')
  })

  test('that is a year ahead is corrected by the server, and so is its correction', async () => {
    const world = makeWorld()
    const server = world.server
    server.iat = () => Math.floor((world.time.wall() - ahead) / 1000)
    let ahead = YEAR
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license.state).toBe('ACTIVE')
    await world.time.advance(2 * HOUR)
    expect(license.state).toBe('ACTIVE')
    server.down = true
    world.time.shiftWall(-YEAR)
    ahead = 0
    await world.time.advance(20 * HOUR)
    expect(license.state).toBe('ACTIVE')
    await world.time.advance(3 * HOUR)
    expect(license.state).toBe('GRACE')
  })

  test('frozen while the server is blocked, the grace ends on time across hourly restarts', async () => {
    const world = makeWorld()
    world.server.license = { grace_days: 2 }
    let { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    world.server.down = true
    const frozen = world.time.wall()
    const ends: string[] = []
    for (let hour = 0; hour < 75; hour++) {
      ends.push(license.state)
      for (let i = 0; i < 6; i++) {
        await world.time.advance(10 * MINUTE)
        world.time.shiftWall(frozen - world.time.wall())
      }
      // Nothing is saved at the end.
      world.kill()
      ;({ license } = await start(world, { apiKey: 'sk-1' }))
      world.time.shiftWall(frozen - world.time.wall())
    }
    expect(ends[20]).toBe('ACTIVE')
    expect(ends[30]).toBe('GRACE')
    expect(ends.indexOf('EXPIRED')).toBeGreaterThanOrEqual(72)
    expect(ends.indexOf('EXPIRED')).toBeLessThanOrEqual(74)
  })

  test('of the server a year ahead for five minutes heals at the next contact', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    world.server.ahead = YEAR / 1000
    await license.refreshNow()
    expect(license.diagnostics().clock.counted).toMatch(/^2027/)
    world.server.ahead = 0
    await world.time.advance(5 * MINUTE)
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
    expect(license.diagnostics().clock.counted).toMatch(/^2026/)
    await license.stop()
    world.server.down = true
    const { license: restarted } = await start(world, { apiKey: 'sk-1' })
    expect(restarted).toMatchObject({ state: 'ACTIVE', source: 'cache' })
    await world.time.advance(2 * DAY)
    expect(restarted.state).toBe('GRACE')
  })
})

describe('grace', () => {
  test('counts its days down once a day, ends to the second, and contact resets it', async () => {
    const world = makeWorld()
    world.server.license = { grace_days: 14 }
    const { license } = await start(world, { apiKey: 'sk-1' })
    world.server.down = true
    await world.time.advance(DAY)
    expect(license.state).toBe('ACTIVE')
    await world.time.advance(1000)
    expect(license).toMatchObject({ state: 'GRACE', reason: 'lease_expired', tier: 'pro' })
    await world.time.advance(10 * DAY)
    expect(license.explain().graceDaysLeft).toBe(4)
    const counted = warnings(world).filter((line) => line.includes('grace period'))
    expect(counted).toHaveLength(11)
    expect(counted[0]).toContain('could not be renewed and is in its grace period: 14 days left')
    world.server.down = false
    await world.time.advance(HOUR + MINUTE)
    expect(license.state).toBe('ACTIVE')
    world.server.down = true
    await world.time.advance(13 * DAY)
    expect(license.state).toBe('GRACE')
    await world.time.advance(3 * DAY)
    expect(license).toMatchObject({ state: 'EXPIRED', tier: 'free' })
  })

  test('is warned of once a day across restarts', async () => {
    const world = makeWorld()
    const first = await start(world, { apiKey: 'sk-1' })
    world.server.down = true
    await world.time.advance(2 * DAY)
    await first.license.stop()
    for (let i = 0; i < 3; i++) {
      const { license } = await start(world, { apiKey: 'sk-1' })
      await world.time.advance(MINUTE)
      await license.stop()
    }
    const counted = warnings(world).filter((line) => line.includes('in its grace period:'))
    expect(new Set(counted).size).toBe(counted.length)
  })
})

describe('the end of a license', () => {
  test('is warned of at 60, 30, 14, 7 and 1 days, each once across restarts', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ exp: world.server.iat() + 90 * 86_400, grace_days: 0 })
    let { license } = await start(world, { token })
    for (let day = 0; day < 90; day++) {
      await world.time.advance(DAY)
      if (day % 10 === 3) {
        await license.stop()
        ;({ license } = await start(world, { token }))
      }
    }
    const days = warnings(world).flatMap((line) => /expires in (\d+) day/.exec(line)?.[1] ?? [])
    expect(days).toEqual(['60', '30', '14', '7', '1'])
  }, 60_000)

  test('met late, the nearest warning alone is given', async () => {
    const world = makeWorld()
    world.server.license = { license_exp: world.server.iat() + 5 * 86_400 }
    await start(world, { apiKey: 'sk-1' })
    await world.time.advance(DAY)
    const days = warnings(world).flatMap((line) => /expires in (\d+) day/.exec(line)?.[1] ?? [])
    expect(days).toEqual(['5'])
  })
})
