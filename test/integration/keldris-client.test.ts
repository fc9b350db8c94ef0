import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeDemoCatalog } from '../../src/server/first-run/demo-keys.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { type KeldrisOptions, keldrisClient } from '../support/keldris-client.ts'
import { freePort } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'

const DAY = 24
const DAY_MS = 86_400_000

describe('a Keldris client', () => {
  let app: TestApp
  let customerId: string
  let instances = 0
  beforeAll(async () => {
    app = await startTestApp()
    const demo = await makeDemoCatalog(app.ctx)
    customerId = (await app.admin('GET', `/licenses/${demo}`)).body.customer_id
  })
  afterAll(() => app.stop())

  const created = async (path: string, body: object) => {
    const answer = await app.admin('POST', path, body)
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`)
    return answer.body
  }
  const license = async (terms: object = {}) => {
    const order = { product: 'keldris', tier: 'pro', customer_id: customerId, ...terms }
    const { id } = await created('/licenses', order)
    const { id: keyId, license_key } = await created('/license-keys', { license_id: id, name: 'main' })
    return { id, keyId, licenseKey: license_key as string }
  }
  const client = (options: Partial<KeldrisOptions> = {}) => {
    instances += 1
    return keldrisClient({ url: app.url, clock: app.clock, instanceId: `kel-${instances}`, ...options })
  }
  const known = async (instanceId: string) =>
    (await app.admin('GET', `/instances?text=${instanceId}`)).body.find(
      (instance: { instance_id: string }) => instance.instance_id === instanceId,
    )
  const act = async (instanceId: string, action: string) =>
    created(`/instances/${(await known(instanceId)).id}/action`, { action, reason: 'because' })
  const anomalies = async (instanceId: string) =>
    (await app.admin('GET', `/anomalies?instance=${(await known(instanceId)).id}`)).body
  const inDays = (days: number) => new Date(app.clock.now().getTime() + days * DAY_MS).toISOString()
  const asked = (of: ReturnType<typeof client>) => of.state.answers.map(({ endpoint }) => endpoint)
  const isPro = (of: ReturnType<typeof client>) =>
    of.state.tier === 'pro' && of.hasFeature('audit_logs') && !of.hasFeature('sso_sync')
  const isFree = (of: ReturnType<typeof client>) =>
    of.state.tier === 'free' && !of.hasFeature('audit_logs') && of.state.entitlement === null

  test('lives a normal life: registers, activates, beats, validates, and gives its seat back', async () => {
    const { id, licenseKey } = await license({ seat_limit: 1 })
    const kel = client({ instanceId: 'normal', licenseKey })
    await kel.start()
    expect(asked(kel)).toEqual(['signing-key?product=keldris', 'register', 'activate', 'heartbeat'])
    expect(isPro(kel)).toBe(true)
    for (let day = 0; day < 3; day += 1) {
      await kel.live(DAY)
      expect([isPro(kel), kel.isEntitled(), kel.state.status]).toEqual([true, true, 'valid'])
    }
    expect(asked(kel).filter((endpoint) => endpoint === 'heartbeat')).toHaveLength(1 + 12)
    expect(asked(kel).filter((endpoint) => endpoint === 'validate')).toHaveLength(3)
    expect(kel.state.answers.filter(({ body }) => body === null)).toEqual([])

    const restarted = client({ instanceId: 'normal', licenseKey })
    await restarted.start()
    expect(isPro(restarted)).toBe(true)
    expect((await app.admin('GET', `/licenses/${id}`)).body.seats_in_use).toBe(1)
    expect(await anomalies('normal')).toEqual([])
    expect(await known('normal')).toMatchObject({
      tier: 'pro',
      hostname: 'dev',
      version: '1.0.0',
      os: 'linux',
      arch: 'amd64',
      entitlement_mismatch_at: null,
      feature_usage: ['audit_logs'],
      metrics: { agent_count: 1, user_count: 1, org_count: 1 },
    })
    await restarted.stop()
    expect((await app.admin('GET', `/licenses/${id}`)).body.seats_in_use).toBe(0)
  })

  test('without a license key is free, for as long as it likes', async () => {
    const kel = client({ instanceId: 'unlicensed' })
    await kel.start()
    await kel.live(3 * DAY)
    expect(isFree(kel)).toBe(true)
    expect(kel.state.answers.filter(({ body }) => body?.entitlement_token)).toEqual([])
    expect(await anomalies('unlicensed')).toEqual([])
  })

  test('that is killed is off within one heartbeat, stays off through a restart and any key, and comes back when cleared', async () => {
    const { licenseKey } = await license()
    const kel = client({ instanceId: 'killed', licenseKey })
    await kel.start()
    await act('killed', 'kill')
    await kel.live(6)
    expect([isFree(kel), kel.state.killed]).toEqual([true, true])
    await kel.live(2 * DAY)
    expect([isFree(kel), kel.state.killed]).toEqual([true, true])

    const other = await license()
    for (const key of [licenseKey, other.licenseKey]) {
      const restarted = client({ instanceId: 'killed', licenseKey: key })
      await restarted.start()
      expect([isFree(restarted), restarted.state.killed]).toEqual([true, true])
      expect([restarted.state.status, restarted.state.reason]).toEqual(['revoked', 'instance_killed'])
      expect(restarted.state.answers.filter(({ body }) => body?.entitlement_token || body?.jwt)).toEqual([])
    }

    await act('killed', 'none')
    await kel.live(6)
    expect([isPro(kel), kel.isEntitled(), kel.state.killed]).toEqual([true, true, false])
  })

  test('that is downgraded is free until that is cleared, and keeps its seat', async () => {
    const { id, licenseKey } = await license({ seat_limit: 1 })
    const kel = client({ instanceId: 'downgraded', licenseKey })
    await kel.start()
    await act('downgraded', 'downgrade')
    await kel.live(6)
    expect([isFree(kel), kel.state.killed]).toEqual([true, false])
    await kel.live(2 * DAY)
    expect([isFree(kel), kel.state.status]).toEqual([true, 'valid'])
    expect((await app.admin('GET', `/licenses/${id}`)).body.seats_in_use).toBe(1)
    await act('downgraded', 'none')
    await kel.live(DAY)
    expect([isPro(kel), kel.isEntitled()]).toEqual([true, true])
  })

  test('of a suspended license is free from its next validation on, and pro again after reinstatement', async () => {
    const { id, licenseKey } = await license()
    const kel = client({ licenseKey })
    await kel.start()
    await created(`/licenses/${id}/suspend`, { reason: 'unpaid' })
    await kel.live(DAY)
    expect([isFree(kel), kel.state.status, kel.state.reason]).toEqual([true, 'revoked', 'license_suspended'])
    await kel.live(DAY)
    expect(isFree(kel)).toBe(true)
    await created(`/licenses/${id}/reinstate`, {})
    await kel.live(DAY)
    expect([isPro(kel), kel.isEntitled(), kel.state.status]).toEqual([true, true, 'valid'])
  })

  test('of a revoked license is free for good, and is still heard', async () => {
    const { id, licenseKey } = await license()
    const kel = client({ instanceId: 'revoked', licenseKey })
    await kel.start()
    await created(`/licenses/${id}/revoke`, { reason: 'fraud' })
    const before = kel.state.answers.length
    await kel.live(40 * DAY)
    expect([isFree(kel), kel.state.status, kel.state.reason]).toEqual([true, 'revoked', 'license_revoked'])
    const since = kel.state.answers.slice(before)
    expect(since.filter(({ body }) => body === null || body.entitlement_token || body.jwt)).toEqual([])
    expect((await known('revoked')).last_seen_at).toBe(app.clock.now().toISOString().replace('.000Z', 'Z'))
  })

  test('of an expired license goes on through its grace, is free after it, and pro again when renewed', async () => {
    const { id, licenseKey } = await license({ expires_at: inDays(2) })
    const kel = client({ licenseKey })
    await kel.start()
    await kel.live(3 * DAY)
    expect([isPro(kel), kel.state.status, kel.state.reason]).toEqual([true, 'valid', 'in_grace'])
    await kel.live(28 * DAY)
    expect([isPro(kel), kel.isEntitled()]).toEqual([true, true])
    await kel.live(3 * DAY)
    expect([isFree(kel), kel.state.status, kel.state.reason]).toEqual([true, 'expired', 'license_expired'])
    await created(`/licenses/${id}/renew`, { extend_days: 365 })
    await kel.live(DAY)
    expect([isPro(kel), kel.state.status, kel.state.reason]).toEqual([true, 'valid', undefined])
  })

  test('is answered in the last second of grace too, only without a token that would not live a second', async () => {
    const { licenseKey } = await license({ expires_at: inDays(1) })
    const kel = client({ licenseKey })
    await kel.start()
    app.clock.advance(31 * DAY_MS)
    kel.state.answers = []
    await kel.start()
    expect(kel.state.answers.map(({ body }) => body?.status)).toEqual([
      undefined,
      'registered',
      'active',
      'ok',
    ])
    expect(kel.state.answers.filter(({ body }) => body === null || body.entitlement_token)).toEqual([])
    app.clock.advance(1000)
    await kel.start()
    expect([isFree(kel), kel.state.status]).toEqual([true, 'expired'])
  })

  test('over the seat limit is free, and takes the seat once another gives it up', async () => {
    const { licenseKey } = await license({ seat_limit: 1 })
    const first = client({ licenseKey })
    const second = client({ licenseKey })
    await first.start()
    await second.start()
    expect([isPro(first), isFree(second)]).toEqual([true, true])
    expect([second.state.status, second.state.reason]).toEqual(['limit_reached', 'instance_limit_reached'])
    await second.live(DAY)
    expect([isFree(second), second.state.status]).toEqual([true, 'limit_reached'])
    await first.stop()
    await second.live(DAY)
    expect([isPro(second), second.isEntitled(), second.state.status]).toEqual([true, true, 'valid'])
  })

  test('that cannot reach the server lives by its key, then by 30 days of grace, then free, and comes back', async () => {
    const { id, licenseKey } = await license({ expires_at: inDays(5) })
    const kel = client({ licenseKey })
    await kel.start()
    kel.state.url = `http://127.0.0.1:${await freePort()}`
    await kel.live(4 * DAY)
    expect([isPro(kel), kel.isEntitled(), kel.state.expiredSince]).toEqual([true, false, null])
    await kel.live(30 * DAY)
    expect(isPro(kel)).toBe(true)
    await kel.live(2 * DAY)
    expect(isFree(kel)).toBe(true)
    expect(kel.state.answers.at(-1)?.body).toBeNull()
    await created(`/licenses/${id}/renew`, { extend_days: 365 })
    kel.state.url = app.url
    await kel.live(1)
    expect([isPro(kel), kel.isEntitled()]).toEqual([true, true])
  })

  test('T2: whose key the server does not know keeps what it has, for not knowing is not rejecting', async () => {
    const { keyId, licenseKey } = await license()
    const kel = client({ licenseKey })
    await kel.start()
    const uuid = keyId.replace('lk_', '')
    await query(app.databaseUrl, `delete from license_keys where id = '${uuid}'::uuid`)
    await kel.live(DAY)
    expect(kel.state.answers.findLast(({ endpoint }) => endpoint === 'validate')?.body).toBeNull()
    expect([isPro(kel), kel.state.status]).toEqual([true, 'active'])
  })
})
