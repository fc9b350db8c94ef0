// Copied instances, leases and clocks as the server sees them (T5 to T7): cases for an app that is already running.
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { claimsOf } from '../support/verify.ts'
import type { World } from '../support/world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NONCE = 'n0nce_n0nce_n0nce-1'

/** What an instance keeps in its data folder. */
interface Disk {
  jwt: string
  token: string
}

/** `running` is asked within the tests: the world has to be one whose instances prove who they are. */
export function describeClonesAndClocks(running: () => { app: TestApp; world: World }): void {
  const post = (path: string, body: object, bearer?: string) =>
    running().app.call('POST', `/api/v1${path}`, { body, bearer })
  const another = (expires_at: string | null = null) =>
    running().world.another({ expires_at, seat_limit: null })
  const begin = async (instance_id: string): Promise<Disk> => {
    const { apiKey } = await another()
    const body = { instance_id, version: '1', refresh_id: randomUUID() }
    const answer = await post('/licenses/token', body, apiKey)
    return { jwt: answer.body.jwt, token: answer.body.refresh_token }
  }
  const refresh = (instance_id: string, disk: Disk, refresh_id: string, more: object = {}) =>
    post(
      '/licenses/refresh',
      { instance_id, version: '1', refresh_token: disk.token, refresh_id, ...more },
      disk.jwt,
    )
  const step = async (instance_id: string, disk: Disk): Promise<Disk> => {
    const { status, body } = await refresh(instance_id, disk, randomUUID())
    expect([instance_id, status]).toEqual([instance_id, 200])
    expect(claimsOf(body.jwt)).toMatchObject({
      tier: 'pro',
      features: expect.arrayContaining(['audit_logs']),
    })
    return { jwt: body.jwt, token: body.refresh_token }
  }
  const accused = async (instance_id: string) => {
    const { app } = running()
    const [found] = (await app.admin('GET', `/instances?text=${instance_id}`)).body
    const { body } = await app.admin('GET', `/anomalies?instance=${found.id}&type=instance_cloned`)
    return { instance: found, anomalies: body }
  }

  describe('T5: copies of an instance', () => {
    test('that go on with one data folder are found, and lose nothing by it', async () => {
      const { app } = running()
      let [one, two] = Array<Disk>(2).fill(await begin('copied'))
      for (let round = 0; round < 12; round += 1) {
        app.clock.advance(3 * HOUR)
        one = await step('copied', one as Disk)
        app.clock.advance(3 * HOUR)
        two = await step('copied', two as Disk)
      }
      const { instance, anomalies } = await accused('copied')
      expect(anomalies).toHaveLength(1)
      expect(anomalies[0]).toMatchObject({ type: 'instance_cloned', verified: true })
      // Found, and nothing else: what is done about it is an admin's to say (T11).
      expect(instance.action).toMatchObject({ action: 'none' })
      await step('copied', one as Disk)
      await step('copied', two as Disk)
    })

    test('are not made by answers that are lost, and asked for again', async () => {
      const { app } = running()
      let disk = await begin('unlucky')
      for (let round = 0; round < 12; round += 1) {
        app.clock.advance(6 * HOUR)
        const refresh_id = randomUUID()
        const [lost, again] = [
          await refresh('unlucky', disk, refresh_id),
          await refresh('unlucky', disk, refresh_id),
        ]
        expect([lost.status, again.status]).toEqual([200, 200])
        expect(again.body.refresh_token).toBe(lost.body.refresh_token)
        disk = { jwt: again.body.jwt, token: again.body.refresh_token }
      }
      expect((await accused('unlucky')).anomalies).toEqual([])
    })
  })

  describe('T6: the lease of a license key', () => {
    test('is confirmed online, ends with the grace of its license to the second, and is not had from the key alone', async () => {
      const { app } = running()
      const end = new Date(Math.ceil(app.clock.now().getTime() / 1000) * 1000 + 10 * DAY)
      const own = await another(end.toISOString())
      const [payload = ''] = own.licenseKey.split('.')
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ offline: false })
      const key = { instance_id: 'confirmed', product: own.product, license_key: own.licenseKey }
      const first = await post('/licenses/activate', key)
      const token = first.body.instance_token
      const validate = async () => (await post('/licenses/validate', key, token)).body
      const until = end.getTime() / 1000
      expect(claimsOf(first.body.jwt)).toMatchObject({ license_exp: until, grace_days: 30 })

      app.clock.advance(end.getTime() - app.clock.now().getTime() + HOUR)
      const inGrace = await validate()
      expect(inGrace.status).toBe('valid')
      expect(claimsOf(inGrace.jwt)).toMatchObject({ in_grace: true, license_exp: until })
      app.clock.advance(30 * DAY - 2 * HOUR)
      const last = claimsOf((await validate()).jwt)
      expect(last.exp).toBe(until + 30 * 86_400)
      app.clock.advance(2 * HOUR)
      const over = await validate()
      expect(over.status).toBe('expired')
      expect(over).not.toHaveProperty('jwt')
      expect(over).not.toHaveProperty('entitlement_token')
    })
  })

  describe('T7: a clock of the customer’s', () => {
    test.each(['1971-01-01T00:00:00Z', '2099-12-31T23:59:59Z'])(
      'at %s moves none of the server’s',
      async (observed_at) => {
        const { app } = running()
        const name = `clock-${observed_at.slice(0, 4)}`
        let disk = await begin(name)
        app.clock.advance(HOUR)
        const now = Math.floor(app.clock.now().getTime() / 1000)
        const facts = {
          boot_id: randomUUID(),
          seq: 0,
          observed_at,
          nonce: NONCE,
          telemetry: { queries_total: 5 },
        }
        const { body } = await refresh(name, disk, randomUUID(), facts)
        disk = { jwt: body.jwt, token: body.refresh_token }
        expect(claimsOf(body.jwt)).toMatchObject({ iat: now, exp: now + 86_400 })
        expect(claimsOf(body.directive)).toMatchObject({ iat: now, exp: now + 300 })
        expect(Date.parse((await accused(name)).instance.last_seen_at) / 1000).toBe(now)
        // Nor does a lease live on by it.
        app.clock.advance(25 * HOUR)
        const beat = {
          instance_id: name,
          product: 'keldris',
          reported_tier: 'pro',
          has_valid_entitlement: true,
          metrics: {},
        }
        const late = await post(
          '/instances/heartbeat',
          { ...beat, observed_at, boot_id: facts.boot_id, seq: 1 },
          disk.jwt,
        )
        expect([late.status, late.body.error]).toEqual([401, 'license_jwt_expired'])
      },
    )
  })
}
