// Heartbeats and batches of telemetry: what is heard, and that it counts once.
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { query } from '../support/query.ts'
import { verifyByKeySet } from '../support/verify.ts'
import { NONCE } from './sessions.ts'
import type { Fixture } from './suite.ts'

export function reportsPart(fixture: () => Fixture): void {
  const beat = (instance_id: string, more: object = {}, bearer?: string) =>
    fixture().post(
      '/instances/heartbeat',
      {
        instance_id,
        product: 'keldris',
        reported_tier: 'free',
        has_valid_entitlement: false,
        metrics: {},
        ...more,
      },
      bearer,
    )
  const reportsOf = (boot_id: string) =>
    query(
      fixture().target.databaseUrl,
      `select seq::int, (increases->>'queries_total')::int as grown from reports
       where boot_id = '${boot_id}' order by seq`,
    )

  describe('heartbeat', () => {
    test('makes an instance known, and answers action, intervals and a directive', async () => {
      const { target } = fixture()
      const { status, body } = await beat('h-1', {
        nonce: NONCE,
        metrics: { agent_count: 2, server_version: '7' },
      })
      expect(status).toBe(200)
      expect(body).toMatchObject({
        status: 'ok',
        action: 'none',
        config: {
          feature_refresh_token: expect.stringMatching(/^[0-9a-f]{64}$/),
          heartbeat_interval: 21_600,
        },
      })
      const { payload } = await verifyByKeySet(target.call, body.directive)
      expect(payload).toMatchObject({ sub: 'h-1', status: 'unlicensed', license_id: null })
      const { body: seen } = await target.admin('GET', '/instances?text=h-1')
      expect(seen[0]).toMatchObject({ version: '7', metrics: { agent_count: 2 }, verified: false })
    })

    test('T9: of a product whose instances prove themselves it needs the token or the JWT', async () => {
      const { post, shielded } = fixture()
      const session = await post('/licenses/token', { instance_id: 'h-2', version: '1' }, shielded.apiKey)
      const own = (bearer?: string) => beat('h-2', { product: 'shielded' }, bearer)
      expect((await own()).body.error).toBe('instance_token_required')
      for (const bearer of [session.body.instance_token, session.body.jwt]) {
        expect((await own(bearer)).status).toBe(200)
      }
      expect((await own(`${session.body.instance_token}x`)).status).toBe(401)
    })

    test('counts once, however often it is sent, and raises its anomalies', async () => {
      const { target } = fixture()
      const boot_id = randomUUID()
      for (const [seq, queries_total] of [
        [0, 10],
        [1, 25],
        [1, 25],
        [0, 10],
      ]) {
        await beat('h-3', { boot_id, seq, metrics: { queries_total, agent_count: 4 } })
      }
      const rows = await reportsOf(boot_id)
      expect(rows.map(({ seq }) => seq)).toEqual([0, 1])
      expect(rows.reduce((sum, { grown }) => sum + Number(grown), 0)).toBe(25)
      const { body: seen } = await target.admin('GET', '/instances?text=h-3')
      const { body: anomalies } = await target.admin('GET', `/anomalies?instance=${seen[0].id}`)
      expect(anomalies).toMatchObject([{ type: 'limit_exceeded', verified: false }])
    })
  })

  describe('telemetry', () => {
    test('a batch is judged report by report, and each counts once', async () => {
      const { post, shielded } = fixture()
      const session = await post('/licenses/token', { instance_id: 't-1', version: '1' }, shielded.apiKey)
      const boot_id = randomUUID()
      const report = (seq: number, instance_id = 't-1') => ({
        instance_id,
        boot_id,
        seq,
        observed_at: new Date().toISOString(),
        metrics: { queries_total: seq },
      })
      const send = (reports: object[], bearer: string | undefined = session.body.jwt) =>
        post('/telemetry', { reports }, bearer)
      const reports = [report(0), report(1), report(0), report(2, 't-2'), { seq: 'x' }]
      expect((await send(reports)).body).toEqual({
        accepted: 2,
        duplicates: 1,
        rejected: [
          { index: 3, error: 'instance_mismatch' },
          { index: 4, error: 'invalid_request' },
        ],
      })
      expect((await send(reports)).body).toMatchObject({ accepted: 0, duplicates: 3 })
      const many = Array.from({ length: 500 }, (_, n) => report(n + 2))
      expect((await send(many)).body).toEqual({ accepted: 500, duplicates: 0, rejected: [] })
      expect(await reportsOf(boot_id)).toHaveLength(502)
      expect((await post('/telemetry', { reports })).status).toBe(401)
    })
  })
}
