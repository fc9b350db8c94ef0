// The license service: its sources, its one way of installing, validation over time, the server's word against an envelope,
// and how an online grant and an envelope meet. On a virtual clock, with real signatures.
import { randomUUID, sign } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { enforceLimits, type LicenseAuditEvent } from '../../../src/sdk/enforce/index.ts'
import {
  type LicenseServiceOptions,
  type LicenseStore,
  memoryStore,
  openLicenseService,
} from '../../../src/sdk/offline/index.ts'
import { nextRun } from '../../../src/sdk/offline/schedule.ts'
import type { LicenseOptions } from '../../../src/sdk/options.ts'
import { makePair, type Pair } from '../../unit/license/fixtures.ts'
import { DAY, makeWorld, PRODUCT, start, type World } from './support/world.ts'

const MINUTE = 60_000
const raw = makePair()
const zone = process.env.TZ
afterEach(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

const seconds = (world: World) => Math.floor(world.time.wall() / 1000)

function envelope(world: World, changes: Record<string, unknown> = {}, pair: Pair = raw): string {
  const iat = seconds(world) - 10
  const payload = {
    exp: iat + 30 * 86_400,
    gracePeriodDays: 2,
    iat,
    licenseId: randomUUID(),
    limits: { max_agents: 50 },
    tenantId: 'acme',
    ...changes,
  }
  const bytes = Buffer.from(JSON.stringify(payload))
  return `${bytes.toString('base64')}.${sign(null, bytes, pair.privateKey).toString('base64')}`
}

async function open(
  world: World,
  service: Partial<LicenseServiceOptions> = {},
  options: Partial<LicenseOptions> = {},
) {
  const events: LicenseAuditEvent[] = []
  const { license: started } = await start(world, {
    serverUrl: undefined,
    trust: { keys: [{ x: raw.x, use: 'raw' }] },
    ...options,
  } as Partial<LicenseOptions>)
  const license = enforceLimits(started, { audit: (event) => void events.push(event) })
  const opened = await openLicenseService(license, { tenantId: 'acme', store: memoryStore(), ...service })
  return { license, service: opened, events, actions: () => events.map(({ action }) => action) }
}

describe('the sources at the start', () => {
  test('environment before file before store; a rejected one falls through and is reported', async () => {
    const world = makeWorld()
    const store = memoryStore()
    const first = await open(world, { store, token: envelope(world, { limits: { max_agents: 7 } }) })
    expect(first.license.limit('max_agents')).toBe(7)
    expect(first.events).toMatchObject([
      { action: 'install_license', actor: 'system', details: { source: 'env' } },
    ])
    const second = await open(world, { store, token: envelope(world, { tenantId: 'globex' }) })
    expect(second.license.limit('max_agents')).toBe(7)
    expect(second.actions()).toEqual(['reject_license'])
    expect(second.service.current()).toMatchObject({
      state: 'ACTIVE',
      invalidReason: "License tenantId 'globex' does not match server tenant 'acme'",
    })
    const third = await open(world, { store, token: envelope(world, { limits: { max_agents: 8 } }) })
    expect(third.license.limit('max_agents')).toBe(8)
    expect(third.actions()).toEqual(['replace_license'])
  })

  test('what an admin has installed later is not undone by a variable that nobody has changed (T3)', async () => {
    const world = makeWorld()
    const store = memoryStore()
    const licenseId = randomUUID()
    const inEnvironment = envelope(world, { licenseId })
    const { service, license } = await open(world, { store, token: inEnvironment })
    await world.time.advance(MINUTE)
    const renewed = await service.install(envelope(world, { licenseId, limits: { max_agents: 80 } }), 'alice')
    expect(renewed.ok).toBe(true)
    expect(license.limit('max_agents')).toBe(80)
    const again = await open(world, { store, token: inEnvironment })
    expect(again.license.limit('max_agents')).toBe(80)
    expect(again.actions()).toEqual([])
    expect(await again.service.install(inEnvironment, 'alice')).toMatchObject({
      ok: false,
      status: 400,
      error: expect.stringMatching(/^License was issued before the one in force \(/),
    })
  })

  test('one that has merely ended is EXPIRED, another fault INVALID, none ABSENT', async () => {
    const world = makeWorld()
    const ended = envelope(world, { exp: seconds(world) - 10 * 86_400 })
    expect((await open(world)).service.current()).toEqual({
      state: 'ABSENT',
      invalidReason: null,
      envelope: null,
    })
    const expired = await open(world, { token: ended })
    expect(expired.service.current()).toMatchObject({ state: 'EXPIRED', envelope: { tenantId: 'acme' } })
    expect(expired.actions()).toEqual(['reject_license'])
    const foreign = await open(world, { token: envelope(world, {}, makePair()) })
    expect(foreign.service.current()).toEqual({
      state: 'INVALID',
      invalidReason: 'License signature verification failed',
      envelope: null,
    })
  })

  test('a store that fails stops nothing, and no install that it did not keep counts', async () => {
    const world = makeWorld()
    const away = () => Promise.reject(new Error('the database is away'))
    const store: LicenseStore = { read: away, write: away, touch: away }
    const { service, license } = await open(world, { store, token: envelope(world) })
    expect(license.limit('max_agents')).toBe(50)
    expect(await service.install(envelope(world, { limits: { max_agents: 9 } }), 'alice')).toEqual({
      ok: false,
      status: 503,
      error: 'the license could not be stored',
    })
    expect(license.limit('max_agents')).toBe(50)
    await service.revalidate()
    expect(license.state).toBe('ACTIVE')
  })

  test('one that the store did not take stays in force, and is stored once it can be', async () => {
    const world = makeWorld()
    const kept = memoryStore()
    await open(world, { store: kept, token: envelope(world, { limits: { max_agents: 7 } }) })
    let isAway = true
    const store: LicenseStore = {
      ...kept,
      write: async (row) => {
        if (isAway) throw new Error('the database is away')
        await kept.write(row)
      },
    }
    const token = envelope(world, { limits: { max_agents: 9 } })
    const { license } = await open(world, { store, token })
    await world.time.advance(3 * MINUTE)
    expect(license.limit('max_agents')).toBe(9)
    expect((await kept.read('acme'))?.token).not.toBe(token)
    isAway = false
    await world.time.advance(MINUTE)
    expect((await kept.read('acme'))?.token).toBe(token)
    expect(license.limit('max_agents')).toBe(9)
  })

  test('an older one that the store has got back replaces nothing (T3)', async () => {
    const world = makeWorld()
    const store = memoryStore()
    const licenseId = randomUUID()
    const { service, license } = await open(world, { store, token: envelope(world, { licenseId }) })
    const before = await store.read('acme')
    await world.time.advance(2 * MINUTE)
    await service.install(envelope(world, { licenseId, limits: { max_agents: 80 } }), 'alice')
    if (before) await store.write(before)
    await world.time.advance(2 * MINUTE)
    await service.revalidate()
    expect(license.limit('max_agents')).toBe(80)
  })

  test('a store that hangs holds nothing up for longer than 10 s, and has kept nothing', async () => {
    const world = makeWorld()
    let hangs = false
    const never = new Promise<never>(() => {})
    const kept = memoryStore()
    const store: LicenseStore = {
      read: (tenant) => (hangs ? never : kept.read(tenant)),
      write: (row) => (hangs ? never : kept.write(row)),
      touch: (tenant, at) => (hangs ? never : kept.touch(tenant, at)),
    }
    const { service, license } = await open(world, { store, token: envelope(world) })
    hangs = true
    const pending = service.install(envelope(world, { limits: { max_agents: 9 } }), 'alice')
    await world.time.advance(11_000)
    expect(await pending).toEqual({ ok: false, status: 503, error: 'the license could not be stored' })
    expect(license.limit('max_agents')).toBe(50)
  })

  test('a folder is a store: a private file that the next start reads', async () => {
    const world = makeWorld()
    const first = await open(world, { store: '/data' })
    expect((await first.service.install(envelope(world), 'alice')).ok).toBe(true)
    expect([...world.folder.files.keys()]).toContain('installed-license.json')
    const second = await open(world, { store: '/data' })
    expect(second.license.limit('max_agents')).toBe(50)
  })
})

describe('over time', () => {
  test('it is validated 60 s after the start and at 03:00 local time, through both changes of the clock', async () => {
    process.env.TZ = 'Europe/Berlin'
    const at = (text: string) => new Date(nextRun(Date.parse(text))).toISOString()
    expect(at('2026-01-01T00:00:00Z')).toBe('2026-01-01T02:00:00.000Z')
    expect(at('2026-01-01T02:00:00Z')).toBe('2026-01-02T02:00:00.000Z')
    // The nights of 29 March, 23 hours long, and of 25 October, 25 hours long.
    expect(at('2026-03-28T02:00:00Z')).toBe('2026-03-29T01:00:00.000Z')
    expect(at('2026-10-24T01:00:00Z')).toBe('2026-10-25T02:00:00.000Z')
    const world = makeWorld()
    const touched: string[] = []
    const kept = memoryStore()
    const store: LicenseStore = {
      ...kept,
      async touch(tenant, when) {
        touched.push(when)
        await kept.touch(tenant, when)
      },
    }
    const { service } = await open(world, { store, token: envelope(world) })
    const started = world.time.wall()
    await world.time.advance(DAY)
    expect(touched.map((when) => Date.parse(when))).toEqual([started + MINUTE, nextRun(started)])
    expect(service.current().lastValidatedAt).toBe(touched.at(-1))
    service.stop()
    await world.time.advance(2 * DAY)
    expect(touched).toHaveLength(2)
  })

  test('GRACE, then EXPIRED; each is told as a change', async () => {
    const world = makeWorld()
    const { license, service } = await open(world, { token: envelope(world, { exp: seconds(world) + 3600 }) })
    const states: string[] = []
    license.on('change', ({ after }) => states.push(after.state))
    await world.time.advance(DAY)
    expect((await service.usage()).message).toBe(
      'License expired 0 day(s) ago and is in its grace period (ends in 2 days). Caps unchanged. Renew before grace ends.',
    )
    await world.time.advance(2 * DAY)
    expect(states).toEqual(['GRACE', 'EXPIRED'])
    expect(service.current()).toMatchObject({ state: 'EXPIRED', invalidReason: null })
    expect(license.limit('max_agents')).toBe(3)
  })

  test('a public key that no longer fits is INVALID at the next start, and kept for the one that does', async () => {
    const world = makeWorld()
    const store = memoryStore()
    await open(world, { store, token: envelope(world) })
    const changed = { trust: { keys: [{ x: makePair().x, use: 'raw' as const }] } }
    const { service, license } = await open(world, { store }, changed)
    await service.revalidate()
    expect(service.current()).toMatchObject({
      state: 'INVALID',
      invalidReason: 'License signature verification failed',
    })
    expect(license.limit('max_agents')).toBe(3)
    expect((await open(world, { store })).license.limit('max_agents')).toBe(50)
  })

  test('what another process installs counts within a minute', async () => {
    const world = makeWorld()
    const store = memoryStore()
    const one = await open(world, { store })
    const other = await open(world, { store })
    await one.service.install(envelope(world), 'alice')
    expect(other.license.limit('max_agents')).toBe(3)
    await world.time.advance(MINUTE)
    expect(other.license.limit('max_agents')).toBe(50)
  })
})

describe('the server’s word and an envelope', () => {
  const licenseId = '11111111-2222-4333-8444-555555555555'
  const named = `lic_${licenseId.replaceAll('-', '')}`

  async function online(world: World) {
    const { root } = world.server
    const trust = {
      issuer: 'https://license.example.com',
      roots: [root.x],
      keys: [{ x: raw.x, use: 'raw' as const }],
    }
    return { serverUrl: 'https://license.example.com', trust, apiKey: 'sk-1' }
  }

  test('the online grant counts first, the envelope when that has ended; explain() shows both', async () => {
    const world = makeWorld()
    const { license } = await open(world, { token: envelope(world, { tier: 'site' }) }, await online(world))
    expect(license.source).toBe('online')
    expect(license.explain().grants.map(({ kind, counts }) => [kind, counts])).toEqual([
      ['jwt', true],
      ['envelope', false],
    ])
    expect(license.explain().text).toMatch(
      /jwt \(online\) .*; this one counts\n.*envelope \(offline\) .*ACTIVE, tier site/,
    )
  })

  test('a rejection that is newer than the envelope makes it INVALID, and a later envelope lifts it (T3)', async () => {
    const world = makeWorld()
    world.server.license = { license_id: named }
    const { license, service } = await open(world, {}, await online(world))
    expect((await service.install(envelope(world, { licenseId }), 'alice')).ok).toBe(true)
    await world.time.advance(MINUTE)
    world.server.directive = { license_id: named, status: 'revoked', reason: 'license_revoked' }
    await license.refreshNow()
    expect(license.state).toBe('INVALID')
    const error = service.current().invalidReason
    expect(error).toMatch(/^license revoked at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(await service.install(envelope(world, { licenseId }), 'alice')).toEqual({
      ok: false,
      status: 400,
      error,
    })
    world.server.down = true
    await world.time.advance(MINUTE)
    expect((await service.install(envelope(world, { licenseId }), 'alice')).ok).toBe(true)
    expect(license.state).toBe('ACTIVE')
    expect(license.source).toBe('offline')
  })
})

test('it takes an enforced license, a tenant and a store, and says so', async () => {
  const world = makeWorld()
  const { license } = await start(world, { product: PRODUCT })
  const enforced = enforceLimits(license)
  const wrong = (work: () => Promise<unknown>) => expect(work()).rejects.toThrow(TypeError)
  const other = await start(makeWorld())
  await wrong(() => openLicenseService(other.license as never, { tenantId: 'acme', store: memoryStore() }))
  await wrong(() => openLicenseService(enforced, { tenantId: ' ', store: memoryStore() }))
  await wrong(() => openLicenseService(enforced, { tenantId: 'acme', store: undefined as never }))
  expect(() => enforceLimits({} as never)).toThrow(TypeError)
})
