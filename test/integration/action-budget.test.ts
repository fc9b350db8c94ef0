import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { transaction } from '../../src/db/transaction.ts'
import { setAction } from '../../src/domain/instances/set-action.ts'
import type { Ctx } from '../../src/domain/kernel/context.ts'
import { spendBudget } from '../../src/domain/kernel/spend-budget.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR_MS = 3_600_000

let app: TestApp
let world: World
const start = async (actionBudget: { perKey: number; inAll: number } | null) => {
  app = await startTestApp({ settings: { actionBudget } })
  world = await createWorld(app)
}
afterEach(() => app.stop())

async function register(count: number): Promise<string[]> {
  const ids = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const body = { instance_id: `i-${n}`, product: 'keldris' }
      expect((await app.call('POST', '/api/v1/instances/register', { body })).status).toBe(200)
    }),
  ).then(() => app.admin('GET', '/instances?limit=200'))
  return ids.body.map(({ id }: { id: string }) => id)
}

async function another(role: string, name = role): Promise<{ id: string; bearer: string }> {
  const { body } = await app.admin('POST', '/admin-keys', { name, role })
  return { id: body.id, bearer: body.admin_key }
}

const order = (id: string | undefined, action: string, bearer = app.adminKey, to = app) =>
  to.call('POST', `/api/v1/admin/instances/${id}/action`, { bearer, body: { action } })
const killed = async () => (await app.admin('GET', '/instances?action=kill&limit=200')).body.length
const standing = async () => (await app.admin('GET', '/action-budget')).body

describe('a hundred kills at once with a budget of twenty, through two processes', () => {
  beforeEach(() => start({ perKey: 20, inAll: 100 }))

  test('kill exactly twenty, and the others say when it goes on', async () => {
    const ids = await register(100)
    const other = await startTestApp({ beside: app })
    const answers = await Promise.all(
      ids.map((id, n) => order(id, 'kill', app.adminKey, n % 2 ? app : other)),
    )
    await other.stop()
    const refused = answers.filter(({ status }) => status !== 200)
    expect(refused).toHaveLength(80)
    expect(await killed()).toBe(20)
    for (const { status, body, headers } of refused) {
      expect([status, body.error]).toEqual([429, 'action_budget_exceeded'])
      expect(headers.get('Retry-After')).toBe('3600')
      expect(body).toMatchObject({
        reason: 'per_key',
        per_key: 20,
        in_all: 100,
        used: 20,
        resets_at: '2026-03-01T13:00:00Z',
      })
      expect(body.fix).toContain('/api/v1/admin/action-budget/lift')
    }
    const audit = await app.admin('GET', '/audit?action=instance.action&limit=200')
    expect(audit.body).toHaveLength(20)
  })
})

describe('an action budget with room', () => {
  beforeEach(() => start({ perKey: 50, inAll: 50 }))

  test('counts the ways around a suspension too, where something is lost by them', async () => {
    const { licenseId, licenseKeyId } = world
    const used = async (method: string, path: string, body?: object) => {
      const { status, text } = await app.admin(method, path, body)
      expect([path, status < 300, text]).toEqual([path, true, text])
      return (await standing()).used
    }
    const change = (body: object) => used('PATCH', `/licenses/${licenseId}`, body)
    const far = '2030-01-01T00:00:00Z'
    // What gives, or changes nothing, is free.
    expect(await change({ expires_at: null, grace_days: 30, seat_limit: 10 })).toBe(0)
    expect(await change({ label: 'x', features_added: ['extra'], limits: { max_agents: -1 } })).toBe(0)
    expect(await change({ expires_at: far })).toBe(1)
    expect(await change({ expires_at: far })).toBe(1)
    expect(await change({ expires_at: '2031-01-01T00:00:00Z' })).toBe(1)
    expect(await change({ grace_days: 1 })).toBe(2)
    expect(await change({ seat_limit: 9 })).toBe(3)
    expect(await change({ features_added: [] })).toBe(4)
    expect(await change({ limits: { max_agents: 1 } })).toBe(5)
    expect(await change({ limits: { max_agents: 2 }, tier: 'free' })).toBe(6)
    expect(await change({ tier: 'pro' })).toBe(6)
    // A relay refuses every other machine.
    expect(await change({ fingerprint: 'one' })).toBe(7)
    expect(await change({ fingerprint: 'one' })).toBe(7)
    expect(await change({ fingerprint: 'two' })).toBe(8)
    expect(await change({ fingerprint: null })).toBe(8)

    const exchange = (instance_id: string) =>
      app.call('POST', '/api/v1/licenses/token', {
        bearer: world.apiKey,
        body: { instance_id, version: '1' },
      })
    for (const id of ['a', 'b']) expect((await exchange(id)).status).toBe(200)
    const { body: seen } = await app.admin('GET', '/instances')
    const [a, b] = ['a', 'b'].map((name) =>
      seen.find((row: { instance_id: string }) => row.instance_id === name),
    )
    expect(await used('DELETE', `/instances/${a.id}/seats/${licenseId}`)).toBe(9)
    expect(await used('DELETE', `/instances/${a.id}/seats/${licenseId}`)).toBe(9)
    expect(await used('POST', `/instances/${a.id}/seats/${licenseId}/lift`)).toBe(9)
    expect(await used('DELETE', `/instances/${a.id}`)).toBe(9)
    expect(await used('DELETE', `/instances/${b.id}`)).toBe(10)
    expect(await used('POST', `/license-keys/${licenseKeyId}/revoke`, {})).toBe(11)
    // Whoever refreshes by exchange alone ends with what it holds.
    const rotate = async (id: string, overlap_hours?: number) => {
      const { status, body } = await app.admin('POST', `/api-keys/${id}/rotate`, { overlap_hours })
      expect(status).toBe(201)
      return [body.id, (await standing()).used]
    }
    const [second, afterDay] = await rotate(world.apiKeyId, 24)
    expect(afterDay).toBe(11)
    const [third, afterNothing] = await rotate(second, 0)
    expect(afterNothing).toBe(12)
    const [fourth, afterHours] = await rotate(third, 23)
    expect(afterHours).toBe(13)
    expect(await used('POST', `/api-keys/${fourth}/revoke`, {})).toBe(14)
    expect(await used('POST', `/api-keys/${fourth}/revoke`, {})).toBe(14)
  })
})

describe('the action budget', () => {
  beforeEach(() => start({ perKey: 4, inAll: 6 }))

  test('counts what takes, once, and nothing else', async () => {
    const [one, two] = await register(2)
    const { licenseId, apiKeyId, licenseKeyId } = world
    const used = async (path: string, body: object = {}) => {
      expect((await app.admin('POST', path, body)).status).toBe(200)
      return (await standing()).used
    }
    expect(await used(`/instances/${one}/action`, { action: 'kill' })).toBe(1)
    expect(await used(`/instances/${one}/action`, { action: 'kill' })).toBe(1)
    // Another reason takes nothing more.
    expect(await used(`/instances/${one}/action`, { action: 'kill', reason: 'fraud' })).toBe(1)
    expect(await used(`/instances/${one}/action`, { action: 'none' })).toBe(1)
    expect(await used(`/instances/${two}/action`, { action: 'downgrade' })).toBe(2)
    expect(await used(`/licenses/${licenseId}/suspend`)).toBe(3)
    expect(await used(`/licenses/${licenseId}/suspend`)).toBe(3)
    expect(await used(`/licenses/${licenseId}/reinstate`)).toBe(3)
    expect(await used(`/license-keys/${licenseKeyId}/revoke`, { end_sessions: true })).toBe(4)
    for (const [verb, body] of [
      ['revoke', {}],
      ['rotate', { overlap_hours: 0 }],
    ] as const) {
      expect((await app.admin('POST', `/api-keys/${apiKeyId}/${verb}`, body)).status).toBe(429)
    }
    const kept = { bearer: world.apiKey, body: { instance_id: 'kept', version: '1' } }
    expect((await app.call('POST', '/api/v1/licenses/token', kept)).status).toBe(200)
    const revoked = await app.admin('POST', `/licenses/${licenseId}/revoke`)
    expect([revoked.status, revoked.body.used]).toEqual([429, 4])
    expect((await app.admin('GET', `/licenses/${licenseId}`)).body.status).toBe('active')
    expect(await used(`/instances/${two}/action`, { action: 'none' })).toBe(4)
  })

  test('of all keys together binds the key that has spent least', async () => {
    const ids = await register(8)
    const [a, b] = [await another('operator', 'a'), await another('operator', 'b')]
    for (const id of ids.slice(0, 4)) expect((await order(id, 'kill', a.bearer)).status).toBe(200)
    expect((await order(ids[4], 'kill', a.bearer)).body.reason).toBe('per_key')
    for (const id of ids.slice(4, 6)) expect((await order(id, 'kill', b.bearer)).status).toBe(200)
    expect((await order(ids[6], 'kill', b.bearer)).body).toMatchObject({ reason: 'in_all', used: 6 })
    expect((await standing()).keys.map(({ used }: { used: number }) => used).sort()).toEqual([2, 4])
  })

  test('comes back as the hour slides', async () => {
    const ids = await register(6)
    for (const id of ids.slice(0, 4)) {
      expect((await order(id, 'kill')).status).toBe(200)
      app.clock.advance(60_000)
    }
    const refused = await order(ids[4], 'kill')
    expect([refused.status, refused.body.resets_at]).toEqual([429, '2026-03-01T13:00:00Z'])
    expect(refused.headers.get('Retry-After')).toBe(String(56 * 60))
    app.clock.set(new Date('2026-03-01T13:00:00Z'))
    expect((await order(ids[4], 'kill')).status).toBe(200)
    expect((await order(ids[5], 'kill')).status).toBe(429)
  })

  test('is lifted by an owner for an hour, for one key or for all, and that is written down', async () => {
    const ids = await register(9)
    const [a, b] = [await another('operator', 'a'), await another('operator', 'b')]
    for (const id of ids.slice(0, 4)) await order(id, 'kill', a.bearer)
    const lift = (body: object, bearer = app.adminKey) =>
      app.call('POST', '/api/v1/admin/action-budget/lift', { bearer, body })
    expect((await lift({ all: true, reason: 'x' }, a.bearer)).status).toBe(403)
    expect((await lift({ reason: 'x' })).status).toBe(422)
    expect((await lift({ all: true, admin_key_id: a.id, reason: 'x' })).status).toBe(422)
    expect((await lift({ admin_key_id: `adm_${'0'.repeat(32)}`, reason: 'x' })).status).toBe(404)
    const lifted = await lift({ admin_key_id: a.id, reason: 'fraud ring' })
    expect([lifted.status, lifted.body.lifted_until]).toEqual([200, null])
    expect(lifted.body.keys).toMatchObject([{ admin_key_id: a.id, lifted_until: '2026-03-01T13:00:00Z' }])
    expect((await order(ids[4], 'kill', a.bearer)).status).toBe(200)
    for (const id of ids.slice(5, 7)) expect((await order(id, 'kill', b.bearer)).status).toBe(200)
    expect((await order(ids[7], 'kill', b.bearer)).status).toBe(429)
    await lift({ all: true, reason: 'fraud ring' })
    expect((await order(ids[7], 'kill', b.bearer)).status).toBe(200)
    expect((await standing()).used).toBe(6)
    const audit = await app.admin('GET', '/audit?action=action_budget.lift')
    expect(audit.body).toMatchObject([
      { subject: 'all', reason: 'fraud ring', details: { lifted_until: '2026-03-01T13:00:00Z' } },
      { subject: a.id },
    ])
    app.clock.advance(HOUR_MS)
    for (const id of ids.slice(0, 4)) expect((await order(id, 'downgrade', a.bearer)).status).toBe(200)
    expect((await order(ids[8], 'kill', a.bearer)).status).toBe(429)
  })

  test('does not bind commands and jobs of the server itself', async () => {
    const ids = await register(8)
    for (const id of ids) await setAction(app.ctx, id, { action: 'kill' })
    expect(await killed()).toBe(8)
    expect((await standing()).used).toBe(0)
  })

  test('takes many at once, all or none', async () => {
    const { id } = await another('operator')
    const ctx: Ctx = { ...app.ctx, actor: { kind: 'admin', id, role: 'operator' } }
    const spend = (n: number) => transaction(app.services.db, (tx) => spendBudget(tx, ctx, n))
    await spend(3)
    await expect(spend(2)).rejects.toMatchObject({ facts: { used: 3, wanted: 2 } })
    await spend(1)
    // No wait helps: whoever obeyed one would come back for ever.
    const tooBig = await spend(5).catch((error) => error)
    expect(tooBig).toMatchObject({
      code: 'action_budget_exceeded',
      facts: { reason: 'over_budget_size', per_key: 4, in_all: 6, wanted: 5 },
      fix: expect.stringContaining('whole budget'),
    })
    expect([tooBig.facts.resets_at, tooBig.headers?.['Retry-After']]).toEqual([undefined, undefined])
    const [row] = await app.services.db.execute(sql`select sum(amount)::int as n from action_spending`)
    expect(row?.n).toBe(4)
  })
})

describe('a budget that is switched off', () => {
  beforeEach(() => start(null))

  test('refuses nothing', async () => {
    const ids = await register(22)
    const answers = await Promise.all(ids.map((id) => order(id, 'kill')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(await standing()).toMatchObject({ per_key: null, in_all: null, used: 0 })
  })
})
