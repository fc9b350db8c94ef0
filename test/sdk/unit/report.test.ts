import { describe, expect, test } from 'vitest'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { DAY, HOUR, ISSUER, makeWorld, start, warnings } from './support/world.ts'

describe('a report', () => {
  test('is sent byte for byte as diagnostics() has shown it', async () => {
    const world = makeWorld()
    let queries = 10
    const { license } = await start(world, {
      apiKey: 'sk-1',
      telemetry: () => ({ queries_total: queries++ }),
      usage: () => ({ max_agents: 4 }),
    })
    await world.time.settle()
    license.has('audit_logs')
    const shown = license.diagnostics().nextReport
    expect(shown.refresh).toBeNull()
    await world.time.advance(HOUR)
    expect(license.diagnostics().nextReport).toEqual(shown)
    await license.refreshNow()
    const sent = world.server.last('heartbeat')
    const [head, tail] = [
      sent?.text.slice(0, -shown.heartbeat.length + 1),
      sent?.text.slice(-shown.heartbeat.length + 1),
    ]
    expect(tail).toBe(shown.heartbeat.slice(1))
    // Beside it: nonce, chain and acknowledgement, nothing else.
    expect(Object.keys(JSON.parse(`${head?.slice(0, -1)}}`)).sort()).toEqual([
      'ack',
      'nonce',
      'refresh_id',
      'refresh_token',
    ])
    expect(sent?.body).toMatchObject({
      instance_id: license.instanceId,
      product: 'keldris',
      reported_tier: 'pro',
      has_valid_entitlement: true,
      metrics: { max_agents: 4, queries_total: 11, feature_usage: ['audit_logs'], server_version: '1.4.0' },
    })
    expect(license.diagnostics().nextReport.heartbeat).not.toBe(shown.heartbeat)
  })

  test('of a static token carries telemetry with the refresh, byte for byte as shown', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ refresh_url: `${ISSUER}/api/v1/licenses/refresh` })
    const { license } = await start(world, { token, telemetry: () => ({ joins_total: 3 }) })
    const shown = license.diagnostics().nextReport
    await license.refreshNow()
    expect(world.server.last('refresh')?.text.endsWith(shown.refresh?.slice(1) ?? '?')).toBe(true)
    expect(world.server.last('refresh')?.body.telemetry).toEqual({ joins_total: 3 })
    expect(world.server.last('heartbeat')?.body.metrics).not.toHaveProperty('joins_total')
  })

  test('with telemetry off has no such field', async () => {
    const world = makeWorld()
    const token = world.server.jwt({ refresh_url: `${ISSUER}/api/v1/licenses/refresh` })
    const { license } = await start(world, { token, telemetry: false })
    await license.refreshNow()
    expect(world.server.last('refresh')?.body).not.toHaveProperty('telemetry')
    expect(world.server.last('refresh')?.body).toMatchObject({
      version: '1.4.0',
      instance_id: license.instanceId,
    })
  })

  test('counts from 0 within one boot, and names the boot', async () => {
    const world = makeWorld()
    const first = await start(world, { apiKey: 'sk-1' })
    await world.time.advance(DAY)
    await first.license.stop()
    await start(world, { apiKey: 'sk-1' })
    await world.time.advance(DAY)
    const beats = world.server.received
      .filter(({ path }) => path.endsWith('/heartbeat'))
      .map(({ body }) => body)
    const boots = [...new Set(beats.map(({ boot_id }) => boot_id))]
    expect(boots).toHaveLength(2)
    for (const boot of boots) {
      const seqs = beats.filter(({ boot_id }) => boot_id === boot).map(({ seq }) => seq)
      expect(seqs).toEqual(seqs.map((_, i) => i))
      expect(seqs.length).toBeGreaterThanOrEqual(4)
    }
  })

  test('names the features used since the last one that was heard', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    const used = () => world.server.last('heartbeat')?.body.metrics.feature_usage
    license.has('oidc')
    license.has('not granted')
    world.server.override = () => 'refuse'
    await license.refreshNow()
    world.server.override = null
    license.has('audit_logs')
    await license.refreshNow()
    expect(used().sort()).toEqual(['audit_logs', 'oidc'])
    await license.refreshNow()
    expect(used()).toEqual([])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('no numbers today')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no numbers today'))],
    ['never answers', () => new Promise<never>(() => {})],
  ])('goes without the numbers of a callback that %s, and nothing else is lost', async (_name, usage) => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1', usage, telemetry: () => ({ queries_total: 1 }) })
    await world.time.advance(5000)
    const { metrics } = world.server.last('heartbeat')?.body ?? {}
    expect(metrics).toMatchObject({ queries_total: 1, server_version: '1.4.0' })
    expect(metrics).not.toHaveProperty('max_agents')
    expect(warnings(world).some((line) => line.includes('usage callback failed'))).toBe(true)
    expect(license.state).toBe('ACTIVE')
  })

  test('leaves out what is no number under a name of the right form', async () => {
    const world = makeWorld()
    const usage = () => ({ ok: 1, 'Not Ok': 1, nan: Number.NaN, text: 'x', instance_id: 5 }) as never
    await start(world, { apiKey: 'sk-1', usage })
    await world.time.settle()
    const body = world.server.last('heartbeat')?.body
    expect(Object.keys(body.metrics)).not.toEqual(expect.arrayContaining(['Not Ok']))
    expect(body.metrics).toMatchObject({ ok: 1, instance_id: 5 })
    expect(typeof body.instance_id).toBe('string')
  })

  test('comes from a product that listens badly', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    const heard: string[] = []
    license.on('change', () => {
      throw new Error('bad listener')
    })
    license.on('change', async () => {
      throw new Error('bad async listener')
    })
    const off = license.on('change', ({ after }) => heard.push(after.state))
    world.server.directive = { status: 'revoked' }
    await license.refreshNow()
    expect(heard).toEqual(['INVALID'])
    off()
    world.server.directive = {}
    await license.refreshNow()
    expect(heard).toEqual(['INVALID'])
    expect(license.state).toBe('ACTIVE')
    expect(world.lines.filter((line) => line.startsWith('error '))).toHaveLength(4)
  })
})

describe('two processes on one folder', () => {
  test('one asks, the other reads, and takes the lead when the first is gone', async () => {
    const world = makeWorld()
    const { license: leader } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    const asked = world.server.received.length
    const { license: follower } = await start(world, { apiKey: 'sk-1' })
    expect(follower.instanceId).toBe(leader.instanceId)
    expect(follower).toMatchObject({ state: 'ACTIVE', source: 'cache' })
    expect(follower.explain().role).toBe('follower')
    await follower.refreshNow()
    await world.time.advance(HOUR)
    expect(world.server.received).toHaveLength(asked)

    world.server.directive = { status: 'revoked' }
    await leader.refreshNow()
    await world.time.advance(2 * 60_000)
    expect(follower.state).toBe('INVALID')

    world.server.directive = {}
    await leader.refreshNow()
    await leader.stop()
    const left = JSON.parse(world.folder.files.get('state.json') ?? '{}').refresh_token
    world.server.received.length = 0
    await world.time.advance(2 * HOUR)
    expect(follower.explain().role).toBe('leader')
    expect(follower.state).toBe('ACTIVE')
    // It goes on with the chain that the first has left, not with one of its own.
    const chained = world.server.received.find(({ body }) => body.refresh_id !== undefined)
    expect(left).toMatch(/^rt\d+$/)
    expect(chained?.body.refresh_token).toBe(left)
  })

  test('started together, the one that may not ask waits for what the other gets', async () => {
    const world = makeWorld()
    const [one, two] = [world.host(), world.host()]
    const both = Promise.all(
      [one, two].map((host) => startLicenseOn(host, world.options({ apiKey: 'sk-1' }))),
    )
    const licenses = await world.time.during(both)
    expect(licenses.map(({ state }) => state)).toEqual(['ACTIVE', 'ACTIVE'])
    expect(world.server.paths().filter((path) => path === 'token')).toHaveLength(1)
  })

  test('a disk that fails costs a warning and nothing else, and is used when it works again', async () => {
    const world = makeWorld()
    world.folder.fails = 'lead'
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license.state).toBe('ACTIVE')
    expect(license.explain().role).toBe('alone')
    await world.time.advance(HOUR)
    expect(warnings(world)).toEqual(['warn License data could not be written: no lead; going on from memory'])
    world.folder.fails = null
    await world.time.advance(2 * 60_000)
    expect(license.explain().role).toBe('leader')
    expect(world.folder.files.has('state.json')).toBe(true)
    world.folder.fails = 'write'
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
  })

  test.each([
    ['torn', '{"format":1,'],
    ['newer', '{"format":2,"anything":true}'],
    ['foreign', null],
  ])('a state file that is %s is set aside and starts nothing wrong', async (why, content) => {
    const world = makeWorld()
    const first = await start(world, { apiKey: 'sk-1' })
    await first.license.stop()
    const own = world.folder.files.get('state.json') ?? ''
    world.folder.files.set('state.json', content ?? own.replace('keldris', 'other-product'))
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license.state).toBe('ACTIVE')
    expect(world.folder.files.has('state.json.aside')).toBe(true)
    expect(warnings(world)).toContain(`warn state.json in memory was set aside: ${why}`)
    expect(JSON.parse(world.folder.files.get('state.json') ?? '{}').product).toBe('keldris')
  })

  test('a newer cached license is not overwritten by an older one', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    const newer = world.server.jwt({ iat: world.server.iat() + 100, tier: 'newer' })
    world.folder.files.set('license-cache.jwt', newer)
    await license.refreshNow()
    expect(world.folder.files.get('license-cache.jwt')).toBe(newer)
  })
})
