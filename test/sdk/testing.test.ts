// What a vendor's own tests rest on: the virtual clock, the disk in memory and the server that fails on demand.
import { describe, expect, test } from 'vitest'
import { type License, type LicenseOptions, startLicense } from '../../src/sdk/host/node-start.ts'
import { StorageFault } from '../../src/sdk/host/port.ts'
import {
  DAY,
  type Fault,
  HOUR,
  memoryDisk,
  type TestServerOptions,
  testHost,
  testServer,
  virtualClock,
} from '../../src/sdk/testing/index.ts'

describe('a vendor’s test', () => {
  test('of the day on which the grace is over is five lines', async () => {
    const clock = virtualClock()
    const server = await testServer({ clock, features: ['audit_logs'] })
    const license = await startLicense(server.options())
    server.fail('down')
    await clock.advance(30 * DAY)
    expect([license.state, license.has('audit_logs')]).toEqual(['GRACE', true])
    await clock.advance(2 * DAY)
    expect([license.state, license.has('audit_logs')]).toEqual(['EXPIRED', false])
  })
})

describe('the virtual clock', () => {
  test('runs timers in the order in which they come due, at their own time', async () => {
    const clock = virtualClock('2026-03-01T00:00:00Z')
    const ran: [string, number][] = []
    const note = (name: string) => () => ran.push([name, clock.monotonic()])
    clock.timers.after(3000, note('third'))
    clock.timers.after(1000, () => {
      note('first')()
      clock.timers.after(500, note('second'))
    })
    const cancel = clock.timers.after(2000, note('never'))
    cancel()
    clock.timers.after(3000, note('fourth'))
    await clock.advance(2999)
    expect(ran).toEqual([
      ['first', 1000],
      ['second', 1500],
    ])
    await clock.advance(1)
    expect(ran.slice(2)).toEqual([
      ['third', 3000],
      ['fourth', 3000],
    ])
    expect(clock.wall()).toBe(Date.parse('2026-03-01T00:00:03Z'))
  })

  test('lets what a timer sets off come to its end before the next timer', async () => {
    const clock = virtualClock()
    const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
    if (!('publicKey' in pair)) throw new Error('no pair')
    const data = new Uint8Array(64)
    const order: string[] = []
    const work = async () => {
      const signature = await crypto.subtle.sign('Ed25519', pair.privateKey, data)
      await crypto.subtle.verify('Ed25519', pair.publicKey, signature, data)
      order.push(`signed at ${clock.monotonic()}`)
    }
    clock.timers.after(10, () => {
      clock.track(work()).catch(() => {})
    })
    clock.timers.after(11, () => order.push('next'))
    await clock.advance(20)
    expect(order).toEqual(['signed at 10', 'next'])
  })

  test('sets the wall clock without letting time pass', () => {
    const clock = virtualClock('2026-03-01T00:00:00Z')
    clock.shiftWall(-HOUR)
    expect([clock.wall(), clock.monotonic()]).toEqual([Date.parse('2026-02-28T23:00:00Z'), 0])
  })

  test('refuses what no clock can do', async () => {
    const clock = virtualClock()
    await expect(clock.advance(-1)).rejects.toThrow(RangeError)
    expect(() => clock.timers.after(2 ** 31, () => {})).toThrow(RangeError)
    expect(() => virtualClock('tomorrow')).toThrow(RangeError)
    await expect(clock.during(new Promise(() => {}))).rejects.toThrow('no timer is left')
  })
})

describe('the disk in memory', () => {
  const clock = virtualClock()
  const fetch = () => Promise.reject(new TypeError('fetch failed'))

  test('is led by one process until that releases it, dies, or is silent for three minutes', async () => {
    const disk = memoryDisk()
    const [one, two] = [testHost({ clock, fetch, disk }), testHost({ clock, fetch, disk })]
    const [first, second] = await Promise.all([one.openStorage('/d', 'p'), two.openStorage('/d', 'p')])
    expect([await first?.lead(), await second?.lead()]).toEqual([true, false])
    await first?.release()
    expect([await second?.lead(), await first?.lead()]).toEqual([true, false])
    await clock.advance(181_000)
    expect(await first?.lead()).toBe(true)
    one.kill()
    expect(await second?.lead()).toBe(true)
  })

  test('fails as it is told, and a full one can still be read', async () => {
    const disk = memoryDisk()
    const storage = await testHost({ clock, fetch, disk }).openStorage(undefined, 'p')
    await storage?.write('state.json', 'old')
    disk.fail('full')
    await expect(storage?.write('state.json', 'new')).rejects.toThrow(StorageFault)
    expect(await storage?.read('state.json')).toBe('old')
    disk.fail('denied')
    await expect(storage?.read('state.json')).rejects.toMatchObject({ problem: 'denied' })
  })
})

async function started(server: Partial<TestServerOptions> = {}, given: Partial<LicenseOptions> = {}) {
  const clock = virtualClock()
  const licenseServer = await testServer({ clock, features: ['audit_logs'], ...server })
  const host = licenseServer.host()
  const license: License = await startLicense(licenseServer.options({ host, ...given }))
  return { clock, server: licenseServer, host, license }
}

describe('the test server', () => {
  test('grants by API key, license key, static token and envelope', async () => {
    const clock = virtualClock()
    const server = await testServer({ clock, features: ['audit_logs'], limits: { max_agents: -1 } })
    const credentials = {
      'online by API key': {},
      'online by license key': { licenseKey: await server.licenseKey() },
      'offline by license key': {
        licenseKey: await server.licenseKey({ offline: true }),
        tiers: { pro: { features: ['audit_logs'], limits: { max_agents: -1 } } },
      },
      static: { token: await server.token() },
      offline: { envelope: await server.envelope() },
    }
    const found: Record<string, unknown> = {}
    for (const [name, given] of Object.entries(credentials)) {
      if (name.startsWith('offline')) server.fail('down')
      else server.heal()
      const { host } = testHostOf(server, clock)
      const license = await clock.during(startLicense(server.options({ host, ...given })))
      found[name] = [license.state, license.source, license.has('audit_logs'), license.limit('max_agents')]
      await license.stop()
    }
    const granted = (source: string) => ['ACTIVE', source, true, Number.POSITIVE_INFINITY]
    // An offline license key was never confirmed: it counts all the same, from the community's grace (T6).
    expect(found).toEqual({
      'online by API key': granted('online'),
      'online by license key': granted('online'),
      'offline by license key': [expect.any(String), 'offline', true, Number.POSITIVE_INFINITY],
      static: granted('static'),
      offline: granted('offline'),
    })
  })

  const faults: Fault[] = [
    'down',
    'reset',
    'truncated',
    'slow',
    'endless',
    'html',
    'redirect',
    'error',
    'busy',
    'unauthorized',
    'forged',
    'replayed',
  ]
  test.each(faults)('%s takes nothing away, though the license is revoked meanwhile', async (fault) => {
    const { clock, server, license, host } = await started()
    server.revoke()
    server.fail(fault)
    await clock.advance(3 * DAY)
    expect([license.state, license.has('audit_logs')]).toEqual(['GRACE', true])
    expect(host.lines.some(({ message }) => message.includes('failed'))).toBe(true)
    expect(server.requests.filter(({ url }) => !url.startsWith(server.url))).toEqual([])
    server.heal()
    await clock.advance(2 * HOUR)
    expect([license.state, license.reason, license.has('audit_logs')]).toEqual([
      'INVALID',
      'license_revoked',
      false,
    ])
  })

  test.each(faults)('%s at the start leaves the community tier, in time', async (fault) => {
    const clock = virtualClock()
    const server = await testServer({ clock, features: ['audit_logs'] })
    server.fail(fault)
    const before = clock.monotonic()
    const license = await clock.during(startLicense(server.options()))
    // What is forged is a directive and a grant; what is replayed is a directive alone.
    const granted = fault === 'replayed'
    expect([license.source, license.has('audit_logs')]).toEqual([granted ? 'online' : 'community', granted])
    expect(clock.monotonic() - before).toBeLessThanOrEqual(10_000)
  })

  test('a fault strikes the endpoints that it names, as often as it is told', async () => {
    const { clock, server, license, host } = await started()
    server.fail('error', { only: ['exchange'], times: 2 })
    const failures = () => host.lines.filter(({ message }) => message.includes('failed')).length
    await license.refreshNow()
    expect(failures()).toBe(1)
    await license.refreshNow()
    expect(failures()).toBe(2)
    await clock.advance(DAY)
    expect(failures()).toBe(2)
    expect(license.state).toBe('ACTIVE')
  })

  test('kill, downgrade, suspend and expiry each take, and clearing gives back', async () => {
    const { clock, server, license } = await started({ limits: { max_agents: 9 } })
    const stateAfter = async (act: () => void) => {
      act()
      await clock.advance(DAY)
      return [license.state, license.killed, license.downgraded, license.has('audit_logs')]
    }
    expect(await stateAfter(() => server.kill())).toEqual(['ACTIVE', true, false, false])
    expect(await stateAfter(() => server.clear())).toEqual(['ACTIVE', false, false, true])
    expect(await stateAfter(() => server.downgrade())).toEqual(['ACTIVE', false, true, false])
    expect(await stateAfter(() => server.clear())).toEqual(['ACTIVE', false, false, true])
    expect(await stateAfter(() => server.suspend())).toEqual(['INVALID', false, false, false])
    expect(await stateAfter(() => server.reinstate())).toEqual(['ACTIVE', false, false, true])
    expect(await stateAfter(() => server.expire())).toEqual(['EXPIRED', false, false, false])
  })

  test('a change of tier counts from the next lease on, and is told once', async () => {
    const { clock, server, license } = await started({ limits: { max_agents: 9 } })
    const changes: unknown[] = []
    license.on('change', ({ after, featuresAdded }) => changes.push([after.tier, featuresAdded]))
    server.change({ tier: 'enterprise', features: ['audit_logs', 'air_gap'], limits: { max_agents: -1 } })
    await clock.advance(DAY)
    expect(changes).toEqual([['enterprise', ['air_gap']]])
    expect(license.limit('max_agents')).toBe(Number.POSITIVE_INFINITY)
  })

  test('rotated keys are followed, stolen ones too', async () => {
    const { clock, server, license } = await started()
    for (const old of ['retiring', 'revoked'] as const) {
      await server.rotateKeys(old)
      await clock.advance(2 * DAY)
      expect([license.state, license.diagnostics().lastFailure], old).toEqual(['ACTIVE', null])
    }
  })

  test('a forgotten instance registers again, where no exchange proves it before', async () => {
    const { clock, server, license } = await started()
    await clock.advance(DAY)
    const lastToken = () => server.requests.findLast(({ endpoint }) => endpoint === 'heartbeat')?.bearer
    const before = lastToken()
    server.forgetInstances()
    server.fail('error', { only: ['exchange'] })
    const seen = server.requests.length
    await clock.advance(DAY)
    expect(server.requests.slice(seen).some(({ endpoint }) => endpoint === 'register')).toBe(true)
    expect(lastToken()).toMatch(/^lit_/)
    expect(lastToken()).not.toBe(before)
    expect(license.has('audit_logs')).toBe(true)
  })

  test('a start after a stop finds the cache, also while the server is down', async () => {
    const { clock, server, license } = await started()
    await license.stop()
    server.fail('down')
    const again = await startLicense(server.options())
    expect([again.state, again.source, again.instanceId]).toEqual(['ACTIVE', 'cache', license.instanceId])
    await again.stop()
    await clock.settle()
  })

  test('a killed process leaves its lock to the next', async () => {
    const { server, host } = await started()
    host.kill()
    const again = await startLicense(server.options())
    expect(again.explain().role).toBe('leader')
  })

  test('a server clock that is ahead does not end a license, and heals', async () => {
    const { clock, server, license } = await started()
    server.skewClock(365 * DAY)
    await clock.advance(DAY)
    server.skewClock(0)
    await clock.advance(2 * DAY)
    expect([license.state, license.has('audit_logs')]).toEqual(['ACTIVE', true])
  })

  test('an answer of the test’s own takes the place of the server’s', async () => {
    const { clock, server, license } = await started()
    let asked = 0
    server.intercept(({ endpoint }) => {
      if (endpoint !== 'heartbeat') return null
      asked++
      return new Response('{"status":"ok","action":"kill","config":{"heartbeat_interval":315360000}}')
    })
    await clock.advance(3 * DAY)
    expect([asked > 2, license.killed]).toEqual([true, false])
  })
})

/** A machine of its own: another disk. */
function testHostOf(server: Awaited<ReturnType<typeof testServer>>, clock: ReturnType<typeof virtualClock>) {
  return { host: testHost({ clock, fetch: server.fetch }) }
}
