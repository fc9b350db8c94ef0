import { describe, expect, test } from 'vitest'
import { type Host, StorageFault } from '../../../src/sdk/host/port.ts'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { makePair } from '../../unit/license/fixtures.ts'
import { DAY, HOUR, makeWorld, start, thumbprint, type World } from './support/world.ts'

const MINUTE = 60_000
const kept = (world: World) => JSON.parse(world.folder.files.get('state.json') ?? '{}')

/** The host with a storage whose writes of one name fail. */
function withoutWrites(host: Host, failing: string): Host {
  return {
    ...host,
    async openStorage(folder, product) {
      const storage = await host.openStorage(folder, product)
      return (
        storage && {
          ...storage,
          write: (name: string, text: string) =>
            name === failing
              ? Promise.reject(new StorageFault('full', `no ${name}`))
              : storage.write(name, text),
        }
      )
    },
  }
}

describe('a verified word and a disk that fails', () => {
  test('a kill that could not be written is not undone by a read that fails, and is written when it can be', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    world.folder.fails = 'write'
    world.server.directive = { action: 'kill', seq: 42 }
    await license.refreshNow()
    expect(license.killed).toBe(true)
    expect(kept(world).action.action).toBe('none')
    world.server.down = true
    world.folder.fails = 'all'
    await license.refreshNow()
    world.folder.fails = null
    await license.refreshNow()
    expect(license.killed).toBe(true)
    await world.time.advance(MINUTE)
    expect(kept(world).action.action).toBe('kill')
    world.kill()
    const { license: restarted } = await start(world, { apiKey: 'sk-1' })
    expect(restarted.killed).toBe(true)
  })

  test('a state that failed to be written is tried again within minutes, the cache too', async () => {
    const world = makeWorld()
    world.folder.fails = 'write'
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    expect(license.state).toBe('ACTIVE')
    world.server.down = true
    world.folder.fails = null
    await world.time.advance(2 * MINUTE)
    expect(kept(world).refresh_token).toMatch(/^rt/)
    expect(world.folder.files.has('license-cache.jwt')).toBe(true)
  })

  test('a leader takes no older file for news: an action and a rejection stay, and the disk is put right', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    const backup = world.folder.files.get('state.json') ?? ''
    await world.time.advance(HOUR)
    world.server.directive = { action: 'kill', status: 'revoked', seq: 42 }
    await license.refreshNow()
    world.server.down = true
    world.folder.files.set('state.json', backup)
    await license.refreshNow()
    expect(license).toMatchObject({ killed: true, tier: 'free' })
    expect(license.explain().view.state).toBe('INVALID')
    expect(kept(world)).toMatchObject({
      action: { action: 'kill' },
      rejections: { lic_1: { status: 'revoked' } },
    })
  })

  test('a rejection that the server has lifted does not come back with an older file', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ exp: world.server.iat() + 90 * 86_400 })
    const { license } = await start(world, { token, instanceId: 'one' })
    world.server.directive = { status: 'revoked' }
    await license.refreshNow()
    const backup = world.folder.files.get('state.json') ?? ''
    expect(JSON.parse(backup).rejections).toHaveProperty('lic_1')
    await world.time.advance(HOUR)
    world.server.directive = { status: 'active' }
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
    world.server.down = true
    world.folder.files.set('state.json', backup)
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
    expect(kept(world).rejections).toEqual({})
  })

  test('a state that could not be read is not written over, nor is the instance id', async () => {
    const world = makeWorld()
    const first = await start(world, { apiKey: 'sk-1' })
    world.server.directive = { action: 'kill' }
    await first.license.refreshNow()
    await first.license.stop()
    const [id, state] = ['instance-id', 'state.json'].map((name) => world.folder.files.get(name))
    world.server.down = true
    world.folder.fails = 'read'
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.advance(3 * MINUTE)
    world.folder.fails = null
    await world.time.advance(3 * MINUTE)
    await license.stop()
    expect(world.folder.files.get('instance-id')).toBe(id)
    expect(world.folder.files.get('state.json')).toBe(state)
    const { license: restarted } = await start(world, { apiKey: 'sk-1' })
    expect(restarted.killed).toBe(true)
  })

  test('a rejection in a file that could not be read at the start counts once it can', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ exp: world.server.iat() + 90 * 86_400 })
    const given = { token, instanceId: 'one' }
    const first = await start(world, given)
    world.server.directive = { status: 'revoked' }
    await first.license.refreshNow()
    await first.license.stop()
    world.folder.fails = 'read'
    world.server.directive = { license_id: null, status: 'unlicensed' }
    await world.time.advance(HOUR)
    const { license } = await start(world, given)
    await world.time.settle()
    expect(license.state).toBe('ACTIVE')
    world.folder.fails = null
    await license.refreshNow()
    expect(license.state).toBe('INVALID')
  })
})

describe('a large key set', () => {
  const large = (world: World) => {
    const retired = Array.from({ length: 400 }, () => makePair())
    const { licensePair, raw, controlPair } = world.server
    world.server.keySetKeys = [licensePair, raw, controlPair, ...retired].map((pair, i) => ({
      kid: thumbprint(pair),
      x: pair.x,
      use: i === 1 ? 'raw' : i === 2 ? 'control' : 'license',
      product: 'keldris',
      nbf: 0,
      status: i < 3 ? 'active' : 'retired',
    }))
  }

  test('of more than 64 KiB has a file of its own, outlives a restart, and leaves the state as small as it is', async () => {
    const world = makeWorld()
    large(world)
    world.server.directive = { action: 'kill' }
    await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    expect(world.folder.files.get('key-set.jws')?.length).toBeGreaterThan(65_536)
    expect(world.folder.files.get('state.json')?.length).toBeLessThan(2000)
    world.kill()
    world.server.down = true
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license.killed).toBe(true)
    expect(license.diagnostics().keySetNumber).toBe(7)
  })

  test('that cannot be written costs nothing else', async () => {
    const world = makeWorld()
    const host = withoutWrites(world.host(), 'key-set.jws')
    world.server.directive = { action: 'kill' }
    const starting = startLicenseOn(host, world.options({ apiKey: 'sk-1' }))
    await world.time.during(starting)
    await world.time.settle()
    expect(world.folder.files.has('key-set.jws')).toBe(false)
    expect(kept(world).action.action).toBe('kill')
    expect(world.lines.filter((line) => line.includes('no key-set.jws'))).toHaveLength(1)
  })

  test('that an older version has left inside the state file is read from there, and moves out', async () => {
    const world = makeWorld()
    const first = await start(world, { apiKey: 'sk-1' })
    await first.license.stop()
    world.folder.files.delete('key-set.jws')
    const state = { ...kept(world), key_set: world.server.keySet() }
    world.folder.files.set('state.json', JSON.stringify(state))
    world.server.down = true
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'cache' })
    expect(license.diagnostics().keySetNumber).toBe(7)
    await world.time.advance(2 * MINUTE)
    expect(kept(world).key_set).toBeNull()
    expect(world.folder.files.get('key-set.jws')).toBe(state.key_set)
  })
})

describe('the state file', () => {
  test.each([
    ['a floor past all dates', { time: { floor: 8.64e15, floor_epoch: 0, ahead: 0 } }],
    ['a floor before all dates', { time: { floor: -1e300, floor_epoch: 0, ahead: 0 } }],
    ['a wall clock ahead of all dates', { time: { floor: 0, floor_epoch: 0, ahead: 1e16 } }],
    [
      'an action from the year 300,000',
      { action: { action: 'none', seq: 1, reason: '', iat: 9_400_000_000_000 } },
    ],
    [
      'a key first used then',
      { key_use: { hash: 'x', first_used_at: 9e15, confirmed_at: 9e15, grace_days: 9e15 } },
    ],
  ])('with %s is set aside, and nothing throws', async (_what, odd) => {
    const world = makeWorld()
    await (await start(world, { apiKey: 'sk-1' })).license.stop()
    world.folder.files.set('state.json', JSON.stringify({ ...kept(world), ...odd }))
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.advance(MINUTE)
    expect(license.explain().text).toContain('ACTIVE')
    expect(license.diagnostics().clock.behind).toBe(false)
    expect(world.folder.files.has('state.json.aside')).toBe(true)
  })

  test('remembers a warning about a license of the longest name', async () => {
    const world = makeWorld()
    const id = 'l'.repeat(255)
    const token = world.server.jwt({ license_id: id, exp: world.server.iat() + 5 * 86_400, grace_days: 0 })
    await (await start(world, { token })).license.stop()
    expect(kept(world).shown).not.toEqual([])
    await start(world, { token })
    expect(world.folder.files.has('state.json.aside')).toBe(false)
    expect(world.lines.filter((line) => line.includes('expires in'))).toHaveLength(1)
  })

  test('of the same product under a former instance id keeps rejections and floor, and not the kill', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ exp: world.server.iat() + 90 * 86_400 })
    const first = await start(world, { token, instanceId: 'one' })
    world.server.directive = { status: 'revoked', action: 'kill' }
    await first.license.refreshNow()
    expect(first.license.killed).toBe(true)
    await first.license.stop()
    const { floor } = kept(world).time
    world.server.down = true
    world.time.shiftWall(-DAY)
    const { license } = await start(world, { token, instanceId: 'two' })
    expect(license).toMatchObject({ killed: false, state: 'INVALID', reason: 'license_revoked' })
    expect(license.diagnostics().clock.behind).toBe(true)
    await world.time.settle()
    expect(kept(world)).toMatchObject({ instance_id: 'two', action: null, instance_token: null })
    expect(kept(world).time.floor).toBeGreaterThanOrEqual(floor)
    expect(JSON.parse(world.folder.files.get('state.json.aside') ?? '{}').instance_id).toBe('one')
  })

  test('brings the floor forward also where the process is killed every five minutes under a frozen clock', async () => {
    const world = makeWorld()
    world.server.tokenLife = 600
    world.server.license = { grace_days: 0 }
    let { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    world.server.down = true
    const frozen = world.time.wall()
    for (let restarts = 0; restarts < 20 && license.state !== 'EXPIRED'; restarts++) {
      await world.time.advance(5 * MINUTE)
      world.time.shiftWall(frozen - world.time.wall())
      world.kill()
      ;({ license } = await start(world, { apiKey: 'sk-1' }))
    }
    expect(license.state).toBe('EXPIRED')
  })

  test('gives its floor before the start decides: a static token that is over by it hides no cache', async () => {
    const world = makeWorld()
    world.server.tokenLife = 30 * 86_400
    const first = await start(world, { apiKey: 'sk-1' })
    const token = world.server.jwt({ license_id: 'lic_2', exp: world.server.iat() + 86_400, grace_days: 0 })
    await world.time.advance(5 * DAY)
    await first.license.stop()
    world.time.shiftWall(-5 * DAY)
    world.server.down = true
    const { license } = await start(world, { token, apiKey: 'sk-1' })
    expect(license).toMatchObject({ state: 'ACTIVE', source: 'cache' })
  })
})

describe('a disk that hangs', () => {
  test('holds up neither the start, nor refreshNow, nor the stop', async () => {
    const world = makeWorld()
    const host = world.host()
    const hanging: Host = {
      ...host,
      openStorage: async (folder, product) => {
        const storage = await host.openStorage(folder, product)
        return storage && { ...storage, write: () => new Promise<never>(() => {}) }
      },
    }
    const starting = startLicenseOn(hanging, world.options({ apiKey: 'sk-1' }))
    const license = await world.time.during(starting)
    expect(license.tier).toBe('free')
    await world.time.during(license.refreshNow())
    await world.time.during(license.stop())
  })
})

describe('a process that has lost the lead', () => {
  test('writes neither state nor cache over those of the next one, and reads from then on', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    let [state, cache]: (string | undefined)[] = []
    // It slept, and another process has taken the lock while its answer was under way.
    world.server.override = ({ path }) => {
      if (!path.endsWith('token')) return null
      world.folder.leader = {}
      state = world.folder.files.get('state.json')
      cache = world.folder.files.get('license-cache.jwt')
      return null
    }
    await world.time.advance(MINUTE)
    await license.refreshNow()
    expect(license.explain().role).toBe('follower')
    expect(state).toContain('rt2')
    expect(world.folder.files.get('state.json')).toBe(state)
    expect(world.folder.files.get('license-cache.jwt')).toBe(cache)
  })
})
