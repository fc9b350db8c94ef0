import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ISSUER, startTestApp, type TestApp } from '../support/app.ts'
import { freePort } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { type SoftclientOptions, softclient } from '../support/softclient-client.ts'
import { claimsOf } from '../support/verify.ts'
import { createWorld, type World } from '../support/world.ts'

const DAY = 24
const PRODUCT = 'softclient4es'

describe('a softclient4es client', () => {
  let app: TestApp
  let world: World
  let instances = 0
  beforeAll(async () => {
    app = await startTestApp()
    // refresh_url leads back here; the issuer stays the vendor's.
    app.services.settings.publicUrl = app.url
    world = await createWorld(app, {
      product: PRODUCT,
      instanceAuth: 'token',
      limitsClaim: 'quotas',
      license: { expires_at: null },
    })
  })
  afterAll(() => app.stop())

  const license = (terms: object = {}) => world.another({ expires_at: null, ...terms })
  const client = (options: Partial<SoftclientOptions>) => {
    instances += 1
    const instanceId = `00000000-0000-4000-8000-${String(instances).padStart(12, '0')}`
    return softclient({ url: app.url, issuer: ISSUER, clock: app.clock, instanceId, ...options })
  }
  const changed = async (method: string, path: string, body?: object) => {
    const answer = await app.admin(method, path, body)
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`)
    return answer.body
  }
  const staticJwt = async ({ licenseId }: World, more: object = {}): Promise<string> =>
    (await changed('POST', `/licenses/${licenseId}/jwt`, { life: 30 * 86_400, refreshable: true, ...more }))
      .jwt
  const seats = async ({ licenseId }: World) => (await changed('GET', `/licenses/${licenseId}`)).seats_in_use
  const reportsOf = (instanceId: string) =>
    query(
      app.databaseUrl,
      `select r.kind, r.version, r.metrics, r.increases from reports r join instances i using (instance_key)
       where i.instance_id = '${instanceId}' order by r.received_at`,
    )
  const nowhere = async () => `http://127.0.0.1:${await freePort()}`
  const refusalsOf = (of: ReturnType<typeof client>) =>
    of.state.answers.flatMap((answer) =>
      answer !== null && answer.status !== 200 ? [[answer.status, answer.body.error]] : [],
    )

  describe('with an API key', () => {
    test('exchanges it, lives by its claims, and refreshes by exchanging again, on one seat', async () => {
      const own = await license({ seat_limit: 1 })
      const soft = client({ apiKey: own.apiKey })
      await soft.start()
      expect([soft.tier(), soft.hasFeature('oidc'), soft.hasFeature('sso_sync')]).toEqual([
        'pro',
        true,
        false,
      ])
      expect([soft.quota('max_agents'), soft.quota('of_the_future')]).toEqual([100, Number.POSITIVE_INFINITY])
      expect(soft.state.answers[0]?.body).toMatchObject({ expires_in: 86_400, message: null })
      expect(soft.state.claims).toMatchObject({ sub: own.customerId, org_name: 'Analytical Engines' })
      expect(soft.state.claims).toMatchObject({ trial: false, license_id: own.licenseId })

      await soft.live(5 * DAY)
      expect([soft.state.answers.length, refusalsOf(soft)]).toEqual([1 + 10, []])
      expect(await seats(own)).toBe(1)
    })

    test('picks up an upgrade, whose unlimited quota is left out of the claims', async () => {
      const own = await license()
      const soft = client({ apiKey: own.apiKey })
      await soft.start()
      await changed('PATCH', `/licenses/${own.licenseId}`, { tier: 'enterprise', is_trial: true })
      await soft.live(DAY)
      expect([soft.tier(), soft.hasFeature('sso_sync')]).toEqual(['enterprise', true])
      expect(soft.state.claims).toMatchObject({ quotas: {}, trial: true })
      expect(soft.quota('max_agents')).toBe(Number.POSITIVE_INFINITY)
    })

    test('takes a tier that it does not know for community', async () => {
      const own = await license({ tier: 'free' })
      const soft = client({ apiKey: own.apiKey })
      await soft.start()
      expect([soft.state.claims.tier, soft.tier(), soft.quota('max_agents')]).toEqual([
        'free',
        'community',
        3,
      ])
    })

    test('shows why its key was refused, and keeps what it has through lease and grace', async () => {
      const own = await license()
      const soft = client({ apiKey: own.apiKey })
      await soft.start()
      await changed('POST', `/api-keys/${own.apiKeyId}/revoke`, {})
      await soft.live(DAY)
      expect(soft.state.answers.at(-1)).toMatchObject({
        status: 401,
        body: { error: 'api_key_revoked', message: 'API key has been revoked' },
      })
      expect(soft.state.messages.at(-1)).toBe('API key has been revoked')
      expect([soft.tier(), soft.state.warnings.at(-1)]).toEqual(['pro', 'refresh failed'])
      await soft.live(30 * DAY)
      expect(soft.tier()).toBe('pro')
      await soft.live(DAY)
      expect([soft.tier(), soft.hasFeature('oidc')]).toEqual(['community', false])
    })

    test.each([
      ['an unknown key', `sk-${'0'.repeat(49)}`, 'api_key_unknown'],
      ['no key at all', 'nonsense', 'credential_unknown'],
    ])('is community with %s, and says so', async (_, apiKey, code) => {
      const soft = client({ apiKey })
      await soft.start()
      expect(refusalsOf(soft)).toEqual([[401, code]])
      expect([soft.tier(), soft.state.messages.length]).toEqual(['community', 1])
    })

    test('of a suspended license runs its lease and grace out, unless the license is reinstated', async () => {
      const own = await license()
      const soft = client({ apiKey: own.apiKey })
      await soft.start()
      const { exp } = soft.state.claims
      await changed('POST', `/licenses/${own.licenseId}/suspend`, { reason: 'unpaid' })
      await soft.live(2 * DAY)
      expect(refusalsOf(soft).at(-1)).toEqual([403, 'license_suspended'])
      expect([soft.tier(), soft.state.claims.exp]).toEqual(['pro', exp])
      await changed('POST', `/licenses/${own.licenseId}/reinstate`, {})
      await soft.live(1)
      expect(soft.state.claims.exp).toBeGreaterThan(exp)
    })

    test('over the seat limit is community, and is told which limit', async () => {
      const own = await license({ seat_limit: 1 })
      const first = client({ apiKey: own.apiKey })
      const second = client({ apiKey: own.apiKey })
      await first.start()
      await second.start()
      expect([first.tier(), second.tier()]).toEqual(['pro', 'community'])
      expect(second.state.answers.at(-1)).toMatchObject({
        status: 403,
        body: { error: 'instance_limit_reached', limit: 1, current: 1 },
      })
      expect(second.state.messages).toEqual(['All 1 seats of the license are taken.'])
    })

    test('starts from its disk cache while the server is away, with the warning for its age', async () => {
      const own = await license()
      const before = client({ apiKey: own.apiKey })
      await before.start()
      const restart = async () => {
        const soft = client({ apiKey: own.apiKey, url: await nowhere(), disk: before.disk })
        soft.keepKeys(before.keys)
        await soft.start()
        return soft
      }
      const young = await restart()
      expect([young.tier(), young.state.warnings]).toEqual([
        'pro',
        ['Using cached license (API key fetch failed)'],
      ])
      app.clock.advance(10 * 86_400_000)
      const old = await restart()
      expect([old.tier(), old.state.warnings]).toEqual([
        'pro',
        ['Using cached license (expired, within grace period)'],
      ])
      app.clock.advance(22 * 86_400_000)
      const tooOld = await restart()
      expect([tooOld.tier(), tooOld.state.warnings]).toEqual(['community', []])
    })

    test('finds the new key in the published set after a rotation', async () => {
      const own = await license()
      const soft = client({ apiKey: own.apiKey })
      await soft.start()
      const known = soft.keys.size
      await changed('POST', '/signing-keys/rotate', { product: PRODUCT, use: 'license', activate_in: 0 })
      await soft.live(DAY)
      expect([soft.keys.size, soft.tier(), refusalsOf(soft)]).toEqual([known + 1, 'pro', []])
    })
  })

  describe('with a static JWT', () => {
    test('binds and takes a seat at its first refresh, and reports telemetry through a restart', async () => {
      const own = await license({ seat_limit: 1 })
      const jwt = await staticJwt(own)
      expect(claimsOf(jwt).refresh_url).toBe(`${app.url}/api/v1/licenses/refresh`)
      const telemetry = { queries_total: 100, joins_total: 7, mvs_active: 2, clusters_connected: 1 }
      const instanceId = '11111111-1111-4111-8111-111111111111'
      const soft = client({ staticJwt: jwt, instanceId, telemetry })
      await soft.start()
      expect([soft.tier(), soft.state.answers, soft.disk]).toEqual(['pro', [], {}])
      expect(await seats(own)).toBe(0)

      await soft.live(DAY)
      expect([await seats(own), soft.state.claims.instance_id]).toEqual([1, instanceId])
      expect([soft.state.answers.length, refusalsOf(soft)]).toEqual([1, []])
      expect(soft.state.answers[0]?.body).toMatchObject({ expires_in: 86_400, message: null })
      soft.state.telemetry = { ...telemetry, queries_total: 250 }
      await soft.live(DAY / 2)
      const restarted = client({ staticJwt: jwt, instanceId, telemetry: { ...telemetry, queries_total: 40 } })
      await restarted.start()
      await restarted.live(DAY)

      const rows = await reportsOf(instanceId)
      expect(rows.map((row) => [row.kind, row.version])).toEqual(rows.map(() => ['refresh', '0.9.0']))
      expect(rows.map(({ metrics }) => metrics)).toEqual([
        { ...telemetry, uptime_hours: 24 },
        { ...telemetry, queries_total: 250, uptime_hours: 36 },
        { ...telemetry, queries_total: 40, uptime_hours: 24 },
      ])
      expect(rows.map(({ increases }) => increases)).toEqual([
        { queries_total: 100 },
        { queries_total: 150 },
        { queries_total: 40 },
      ])
    })

    test('without telemetry tells who and which version it is, and nothing more', async () => {
      const own = await license()
      const instanceId = '22222222-2222-4222-8222-222222222222'
      const soft = client({ staticJwt: await staticJwt(own), instanceId, telemetry: null, version: '1.2.3' })
      await soft.start()
      await soft.live(2 * DAY)
      expect(refusalsOf(soft)).toEqual([])
      const rows = await reportsOf(instanceId)
      expect(rows.length).toBe(soft.state.answers.length)
      for (const row of rows) {
        expect(row).toMatchObject({ version: '1.2.3', increases: {} })
        expect(Object.keys(row.metrics as object)).toEqual(['uptime_hours'])
      }
      const [known] = await changed('GET', `/instances?text=${instanceId}`)
      expect(known).toMatchObject({ instance_id: instanceId, version: '1.2.3', verified: true })
    })

    test('that is used by another instance already keeps its own dates and is refused a lease', async () => {
      const own = await license()
      const jwt = await staticJwt(own)
      const first = client({ staticJwt: jwt })
      const second = client({ staticJwt: jwt })
      await first.start()
      await second.start()
      await first.live(DAY)
      await second.live(DAY)
      expect([first.tier(), refusalsOf(first)]).toEqual(['pro', []])
      const attempts = second.state.answers
      expect(attempts.length).toBeGreaterThan(0)
      expect(refusalsOf(second)).toEqual(attempts.map(() => [403, 'instance_mismatch']))
      expect([second.tier(), second.state.jwt]).toEqual(['pro', jwt])
      expect(second.state.warnings).toEqual(attempts.map(() => 'refresh failed'))
    })

    test('without refresh_url never calls, and ends with its own dates and grace', async () => {
      const own = await license()
      const soft = client({ staticJwt: await staticJwt(own, { refreshable: false }) })
      await soft.start()
      await soft.live(59 * DAY)
      expect([soft.tier(), soft.state.answers]).toEqual(['pro', []])
      await soft.live(2 * DAY)
      expect([soft.tier(), soft.state.answers]).toEqual(['community', []])
    })

    test('that expired while the server was away refreshes within its grace', async () => {
      const own = await license()
      const soft = client({ staticJwt: await staticJwt(own) })
      await soft.start()
      await soft.live(DAY)
      const home = soft.state.claims.refresh_url
      soft.state.claims.refresh_url = `${await nowhere()}/api/v1/licenses/refresh`
      await soft.live(5 * DAY)
      expect([soft.tier(), soft.state.answers.at(-1)]).toEqual(['pro', null])
      const { exp } = soft.state.claims
      soft.state.claims.refresh_url = home
      await soft.live(1)
      expect(soft.state.answers.at(-1)?.status).toBe(200)
      expect(soft.state.claims.exp).toBeGreaterThan(exp)
    })
  })
})
