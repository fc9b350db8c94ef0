import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Role } from '../../src/contract/catalog.ts'
import { products, signingKeys } from '../../src/db/schema/index.ts'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import { open } from '../../src/platform/seal.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-01-01T00:00:00Z' })
})
afterAll(() => app.stop())

const PRODUCTS = '/products'
const TIERS = '/tiers'

const keyOf = async (role: Role) =>
  (await createAdminKey(app.ctx, { name: role, role, expires_at: null })).secret
const as = (bearer: string | undefined, method: string, body?: unknown) =>
  app.call(method, `/api/v1/admin${PRODUCTS}`, { bearer, body })

describe('products', () => {
  test('a product is made with one signing key of each use, which sign from five minutes ago on', async () => {
    const { status, body } = await app.admin('POST', PRODUCTS, { code: 'keldris', name: 'Keldris' })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      id: expect.stringMatching(/^prd_[0-9a-f]{32}$/),
      code: 'keldris',
      instance_auth: 'token',
      limits_claim: 'limits',
      metric_map: {},
      created_at: '2026-01-01T00:00:00Z',
    })
    const keys = await app.admin('GET', '/signing-keys?product=keldris')
    expect(keys.body.map((key: { use: string; status: string }) => [key.use, key.status]).sort()).toEqual([
      ['control', 'active'],
      ['license', 'active'],
      ['raw', 'active'],
    ])
    expect(keys.body[0].not_before).toBe('2025-12-31T23:55:00Z')
    const keyring = await app.services.keyring.current()
    expect(keyring.signer('keldris', 'license', app.clock.now()).product).toBe('keldris')
  })

  test('the private halves lie in the database sealed under product, use and kid', async () => {
    const rows = await app.services.db.select().from(signingKeys)
    for (const row of rows) {
      const name = JSON.stringify(['signing-key', 'keldris', row.use, row.kid])
      expect(open(app.services.masterKey, name, row.sealedPrivateKey)).not.toBeNull()
    }
  })

  test('of twenty admins who create the same code at once one succeeds, and one key of each use exists', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        app.admin('POST', PRODUCTS, { code: 'raced', name: `Number ${n}` }),
      ),
    )
    expect(made.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(made.filter(({ status }) => status === 409)).toHaveLength(19)
    expect(made.find(({ status }) => status === 409)?.body).toMatchObject({
      error: 'conflict',
      reason: 'code_taken',
      product: 'raced',
      fix: expect.any(String),
    })
    const rows = await app.services.db
      .select({ use: signingKeys.use })
      .from(signingKeys)
      .innerJoin(products, eq(products.id, signingKeys.productId))
      .where(eq(products.code, 'raced'))
    expect(rows.map(({ use }) => use).sort()).toEqual(['control', 'license', 'raw'])
  })

  test('a change touches the members given and no other', async () => {
    const { body: made } = await app.admin('POST', PRODUCTS, { code: 'changed', name: 'Before' })
    app.clock.advance(1000)
    const metric_map = {
      agent_count: { kind: 'gauge', limit: 'max_agents' },
      jobs_total: { kind: 'counter' },
    }
    const { status, body } = await app.admin('PATCH', `${PRODUCTS}/${made.id}`, { metric_map })
    expect(status).toBe(200)
    expect(body).toEqual({ ...made, metric_map, updated_at: '2026-01-01T00:00:01Z' })
    expect((await app.admin('GET', `${PRODUCTS}/${made.id}`)).body).toEqual(body)
  })

  test.each([
    ['a code with a capital', { code: 'Keldris', name: 'x' }],
    ['an unknown member', { code: 'x', name: 'x', instanceAuth: 'open' }],
    ['a metric of no kind', { code: 'x', name: 'x', metric_map: { a: { kind: 'sum' } } }],
    ['a metric name with a dash', { code: 'x', name: 'x', metric_map: { 'a-b': { kind: 'gauge' } } }],
    ['an empty name', { code: 'x', name: '  ' }],
  ])('%s is refused with a pointer', async (_, body) => {
    const answer = await app.admin('POST', PRODUCTS, body)
    expect(answer.status).toBe(422)
    expect(answer.body.errors).toHaveLength(1)
  })

  test('a change of nothing, and of the code, is refused', async () => {
    const { body } = await app.admin('GET', PRODUCTS)
    expect((await app.admin('PATCH', `${PRODUCTS}/${body[0].id}`, {})).status).toBe(422)
    expect((await app.admin('PATCH', `${PRODUCTS}/${body[0].id}`, { code: 'other' })).status).toBe(422)
  })

  test('an id of nothing, of another kind and of no form are all not found', async () => {
    for (const id of [`prd_${'0'.repeat(32)}`, `tier_${'0'.repeat(32)}`, 'x%00', '%ED%A0%80']) {
      expect((await app.admin('GET', `${PRODUCTS}/${id}`)).status).toBe(404)
    }
  })

  test('an auditor reads and does not write; nobody without a key does either', async () => {
    const auditor = await keyOf('auditor')
    const operator = await keyOf('operator')
    expect((await as(auditor, 'GET')).status).toBe(200)
    for (const key of [auditor, operator]) {
      const { status, body } = await as(key, 'POST', { code: 'theirs', name: 'x' })
      expect([status, body.error, body.needed_role]).toEqual([403, 'forbidden', 'owner'])
    }
    expect((await as(undefined, 'GET')).status).toBe(401)
  })
})

describe('tiers', () => {
  test('a tier is made, found by its product, and changed', async () => {
    const made = await app.admin('POST', TIERS, {
      product: 'keldris',
      code: 'pro',
      name: 'Pro',
      rank: 10,
      features: ['oidc', 'audit_logs'],
      limits: { max_agents: 100, max_users: -1 },
      seat_limit: 5,
    })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({
      id: expect.stringMatching(/^tier_/),
      product: 'keldris',
      grace_days: 30,
      seat_limit: 5,
      seat_churn: null,
      trial_days: null,
      limits: { max_agents: 100, max_users: -1 },
    })
    const changed = await app.admin('PATCH', `${TIERS}/${made.body.id}`, { seat_limit: null, grace_days: 7 })
    expect(changed.body).toMatchObject({
      ...made.body,
      seat_limit: null,
      grace_days: 7,
      updated_at: changed.body.updated_at,
    })
    expect((await app.admin('GET', `${TIERS}?product=keldris`)).body).toEqual([changed.body])
    expect((await app.admin('GET', `${TIERS}?product=raced`)).body).toEqual([])
    expect((await app.admin('GET', `${TIERS}/${made.body.id}`)).body).toEqual(changed.body)
  })

  test('a product has one tier of a code and one of a rank, however many ask at once', async () => {
    const tier = (code: string, rank: number) => ({ product: 'raced', code, name: code, rank })
    const sameCode = await Promise.all([1, 2, 3, 4].map((n) => app.admin('POST', TIERS, tier('gold', n))))
    expect(sameCode.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409])
    const sameRank = await Promise.all(
      ['a', 'b', 'c'].map((code) => app.admin('POST', TIERS, tier(code, 99))),
    )
    expect(sameRank.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    expect(sameRank.find(({ status }) => status === 409)?.body).toMatchObject({
      reason: 'rank_taken',
      rank: 99,
    })
    const { body } = await app.admin('POST', TIERS, tier('z', 50))
    const moved = await app.admin('PATCH', `${TIERS}/${body.id}`, { rank: 99 })
    expect([moved.status, moved.body.reason]).toEqual([409, 'rank_taken'])
  })

  test.each([
    ['a limit below -1', { limits: { max_agents: -2 } }],
    ['a limit that is no whole number', { limits: { max_agents: 1.5 } }],
    ['a limit with a capital', { limits: { maxAgents: 1 } }],
    ['a feature with a space', { features: ['a b'] }],
    ['a feature twice', { features: ['a', 'a'] }],
    ['a negative seat limit', { seat_limit: -1 }],
    ['grace of eleven years', { grace_days: 4000 }],
  ])('%s is refused', async (_, members) => {
    const tier = { product: 'keldris', code: 'bad', name: 'Bad', rank: 77, ...members }
    expect((await app.admin('POST', TIERS, tier)).status).toBe(422)
  })

  test('a product that does not exist is named so', async () => {
    const tier = { product: 'nothing', code: 'pro', name: 'Pro', rank: 1 }
    const { status, body } = await app.admin('POST', TIERS, tier)
    expect([status, body.error, body.product]).toEqual([404, 'product_unknown', 'nothing'])
    expect((await app.admin('GET', `${TIERS}?product=nothing`)).status).toBe(404)
  })
})

describe('lists', () => {
  test('following the next links gives every product once, newest first', async () => {
    for (let n = 0; n < 5; n += 1) await app.admin('POST', PRODUCTS, { code: `page-${n}`, name: 'x' })
    const all = (await app.admin('GET', PRODUCTS)).body.map(({ code }: { code: string }) => code)
    expect(all.slice(0, 5)).toEqual(['page-4', 'page-3', 'page-2', 'page-1', 'page-0'])
    const seen: string[] = []
    let next: string | undefined = `${PRODUCTS}?limit=3`
    while (next !== undefined) {
      const page = await app.admin('GET', next)
      seen.push(...page.body.map(({ code }: { code: string }) => code))
      next = /^<(.+)>; rel="next"$/.exec(page.headers.get('Link') ?? '')?.[1]
      next = next?.replace('/api/v1/admin', '')
    }
    expect(seen).toEqual(all)
  })

  test.each(['limit=0', 'limit=201', 'limit=x', 'after=x', 'prodct=keldris'])(
    '?%s is refused',
    async (query) => {
      expect((await app.admin('GET', `${TIERS}?${query}`)).status).toBe(422)
    },
  )
})

describe('what is written down', () => {
  test('each change is in the audit log with who made it, and among the events', async () => {
    const { body: made } = await app.admin('POST', PRODUCTS, { code: 'audited', name: 'Audited' })
    const { body: audit } = await app.admin('GET', `/audit?subject=${made.id}`)
    expect(audit).toHaveLength(1)
    expect(audit[0]).toMatchObject({
      actor_kind: 'admin',
      actor: expect.stringMatching(/^adm_/),
      action: 'product.create',
      details: { code: 'audited' },
    })
    const { body: events } = await app.admin('GET', '/events?after=0&limit=200')
    expect(events.at(-1)).toMatchObject({ type: 'catalog.changed', subject: made.id, product_id: made.id })
  })

  test('a refused change leaves no trace', async () => {
    const before = await app.admin('GET', '/audit?action=product.create&limit=200')
    await app.admin('POST', PRODUCTS, { code: 'audited', name: 'Again' })
    const after = await app.admin('GET', '/audit?action=product.create&limit=200')
    expect(after.body).toEqual(before.body)
  })
})
