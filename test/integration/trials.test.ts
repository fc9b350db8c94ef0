import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { createWorld } from '../support/world.ts'

let app: TestApp
/** Whom the next request comes from. */
let address = 0
beforeAll(async () => {
  app = await startTestApp({
    startAt: '2026-03-01T12:00:00Z',
    dependencies: { peerAddress: () => `2001:db8:0:${(address++ >> 3).toString(16)}::${address & 7}` },
  })
  await createWorld(app)
  await offer('pro', 14)
})
afterAll(() => app.stop())

async function offer(code: string, trial_days: number | null, product = 'keldris') {
  const { body } = await app.admin('GET', `/tiers?product=${product}`)
  const tier = body.find((row: { code: string }) => row.code === code)
  const changed = await app.admin('PATCH', `/tiers/${tier.id}`, { trial_days, seat_limit: 2 })
  expect([changed.status, changed.body.trial_days]).toEqual([200, trial_days])
}

let people = 0
const somebody = () => `person-${++people}@example.com`
const start = (more: Record<string, unknown> = {}) =>
  app.call('POST', '/api/v1/trials/start', {
    body: { product: 'keldris', email: somebody(), tier: 'pro', ...more },
  })
const check = (query: string) => app.call('GET', `/api/v1/trials/check?${query}`)
const seat = (license_key: string, instance_id: string) =>
  app.call('POST', '/api/v1/licenses/activate', { body: { license_key, instance_id, product: 'keldris' } })

describe('a trial', () => {
  test('is a license with a key that works, and ends by itself without grace', async () => {
    const { status, body } = await start({ email: ' Ada@Example.com', name: 'Ada', company: 'Engines' })
    expect(status).toBe(201)
    expect(body).toEqual({
      license_key: expect.stringMatching(/^eyJ/),
      tier: 'pro',
      expires_at: '2026-03-15T12:00:00Z',
      trial_duration_days: 14,
    })
    const active = await seat(body.license_key, 'a')
    expect(active.body).toMatchObject({ status: 'active', tier: 'pro', is_trial: true, company: 'Engines' })
    expect(decodeJwt(active.body.jwt)).toMatchObject({ trial: true, grace_days: 0 })
    expect((await seat(body.license_key, 'b')).body.status).toBe('active')
    expect((await seat(body.license_key, 'c')).body.status).toBe('limit_reached')
    const [license] = (await app.admin('GET', '/licenses?limit=1')).body
    expect(license).toMatchObject({
      is_trial: true,
      seat_limit: null,
      effective: { grace_days: 0, seat_limit: 2 },
    })
    const customer = await app.admin('GET', `/customers/${license.customer_id}`)
    expect(customer.body).toMatchObject({ name: 'Ada', email: 'Ada@Example.com' })
    const [entry] = (await app.admin('GET', `/audit?subject=${license.id}`)).body
    expect(entry).toMatchObject({ action: 'trial.start', actor_kind: 'system', actor: 'trial' })
    expect(JSON.stringify(entry)).not.toMatch(/example\.com/i)
    const shifted = await startTestApp({ beside: app })
    app.clock.advance(14 * 86_400_000 + 1000)
    const late = await shifted.call('POST', '/api/v1/licenses/validate', {
      body: { license_key: body.license_key, instance_id: 'a', product: 'keldris' },
    })
    expect(late.body.status).toBe('expired')
    await shifted.stop()
  })

  test('is given once to an address, however it is written, and once for each product', async () => {
    const email = somebody()
    expect((await start({ email })).status).toBe(201)
    for (const again of [email, email.toUpperCase(), ` ${email} `, email.replace('@', '+2@')]) {
      const { status, body } = await start({ email: again })
      expect([status, body.error]).toEqual([409, 'trial_already_used'])
      expect(body.fix).toMatch(/license key/)
    }
    await createWorld(app, { product: 'other' })
    await offer('pro', 7, 'other')
    expect((await start({ email, product: 'other' })).status).toBe(201)
  })

  test('is given once to fifty who ask at the same moment, and leaves one customer', async () => {
    const email = somebody()
    const answers = await Promise.all(Array.from({ length: 50 }, () => start({ email })))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.error === 'trial_already_used')).toHaveLength(49)
    const found = await app.services.db.execute(sql`
      select (select count(*) from customers where email = ${email})::int as customers,
        (select count(*) from licenses l join customers c on c.id = l.customer_id where c.email = ${email})::int as licenses`)
    expect(found[0]).toEqual({ customers: 1, licenses: 1 })
  })

  test('keeps the address as a hash, apart from the customer', async () => {
    const email = somebody()
    await start({ email })
    const rows = await app.services.db.execute(sql`select to_jsonb(t)::text as row from trials t`)
    const counts = await app.services.db.execute(sql`select to_jsonb(u)::text as row from usage_counts u`)
    expect(JSON.stringify([...rows, ...counts])).not.toMatch(/person-|example\.com|2001:db8/)
    expect(rows.at(-1)?.row).toMatch(/"email_hash": "[0-9a-f]{64}"/)
  })

  test.each([
    ['a tier without trials', { tier: 'enterprise' }, 403, 'trial_not_offered'],
    ['an unknown tier', { tier: 'nothing' }, 403, 'trial_not_offered'],
    ['an unknown product', { product: 'nothing' }, 404, 'product_unknown'],
    ['no address', { email: 'nobody' }, 422, 'invalid_request'],
    ['an address with U+0000', { email: 'a\u0000@example.com' }, 422, 'invalid_request'],
  ])('is refused for %s', async (_, more, status, code) => {
    const answer = await start(more)
    expect([answer.status, answer.body.error]).toEqual([status, code])
    expect(answer.body.fix).toBeTruthy()
  })
})

describe('a trial whose answer was lost', () => {
  const key = () => `key-${randomUUID()}`
  const keyed = (Idempotency: string, body: Record<string, unknown>, to = app) =>
    to.call('POST', '/api/v1/trials/start', {
      body: { product: 'keldris', tier: 'pro', ...body },
      headers: { 'Idempotency-Key': Idempotency },
    })

  test('is told again to the same request with the same key, byte for byte, by any process', async () => {
    const [email, own] = [somebody(), key()]
    const first = await keyed(own, { email })
    expect([first.status, first.headers.get('Idempotent-Replayed')]).toEqual([201, null])
    const other = await startTestApp({ beside: app })
    const again = await keyed(own, { email }, other)
    await other.stop()
    expect([again.status, again.text, again.headers.get('Idempotent-Replayed')]).toEqual([
      201,
      first.text,
      'true',
    ])
    const rows = JSON.stringify(await app.services.db.execute(sql`select * from idempotency_keys`))
    expect(rows).not.toContain(first.body.license_key)
    expect(rows).not.toMatch(/example\.com/)
  })

  test('is told to nobody with another key, another address, another body, or a key that can be guessed', async () => {
    const [email, own] = [somebody(), key()]
    expect((await keyed(own, { email })).status).toBe(201)
    const codeOf = async (answer: Promise<Answer>) => (await answer).body.error
    expect(await codeOf(keyed(key(), { email }))).toBe('trial_already_used')
    expect(await codeOf(keyed(own, { email, name: 'Eve' }))).toBe('idempotency_key_reused')
    const stranger = await keyed(own, { email: somebody() })
    expect([stranger.status, stranger.headers.get('Idempotent-Replayed')]).toEqual([201, null])
    expect(await codeOf(keyed('1', { email: somebody() }))).toBe('invalid_request')
  })

  test('counts as one of the address for each time that it is asked for', async () => {
    const alone = await startTestApp({
      beside: app,
      dependencies: { peerAddress: () => '2001:db8:fffe:1::1' },
    })
    const [email, own] = [somebody(), key()]
    const answers = await Promise.all(Array.from({ length: 12 }, () => keyed(own, { email }, alone)))
    await alone.stop()
    const of = (status: number) => answers.filter((answer) => answer.status === status).length
    expect(of(201)).toBeGreaterThan(0)
    expect([of(201) + of(409), of(429)]).toEqual([10, 2])
    expect(new Set(answers.filter(({ status }) => status === 201).map(({ text }) => text)).size).toBe(1)
  })
})

describe('the check', () => {
  const offered = {
    eligible: true,
    has_trial: false,
    trial_duration_days: 14,
    tiers: [{ tier: 'pro', name: 'pro', trial_duration_days: 14 }],
  }

  test('tells what is offered, and nothing of an address', async () => {
    const email = somebody()
    const before = await check(`product=keldris&email=${email}`)
    expect([before.status, before.body]).toEqual([200, offered])
    await start({ email })
    expect((await check(`product=keldris&email=${email}`)).body).toEqual(offered)
    expect((await check('product=keldris')).body).toEqual(offered)
  })

  test('says so where nothing is offered', async () => {
    expect((await check('product=keldris&tier=free')).body).toEqual({
      ...offered,
      eligible: false,
      reason: 'trial_not_offered',
      trial_duration_days: null,
    })
    expect((await check('product=nothing')).body.error).toBe('product_unknown')
    expect((await check('product=keldris&email=x')).status).toBe(422)
  })
})

describe('one address', () => {
  test('may ask ten times an hour, its whole /64 together', async () => {
    const alone = await startTestApp({
      beside: app,
      dependencies: { peerAddress: () => `2001:db8:ffff:1::${(address++).toString(16)}` },
    })
    try {
      const ask = () =>
        alone.call('POST', '/api/v1/trials/start', {
          body: { product: 'keldris', email: somebody(), tier: 'pro' },
        })
      const answers = await Promise.all(Array.from({ length: 12 }, ask))
      expect(answers.map(({ status }) => status).sort()).toEqual([...Array(10).fill(201), 429, 429])
      const { headers, body } = await ask()
      expect(body).toMatchObject({ error: 'rate_limited', reason: 'trial_starts_of_address', limit: 10 })
      const wait = Number(headers.get('Retry-After'))
      expect(wait).toBeGreaterThan(0)
      app.clock.advance(wait * 1000)
      expect((await ask()).status).toBe(201)
    } finally {
      await alone.stop()
    }
  })
})

test('a product gives away five hundred a day, and a refused one leaves nothing behind', async () => {
  const { db, clock } = app.services
  await db.execute(sql`
    insert into usage_counts (scope, key, window_start, count)
    select 'trials_of_product', id::text, date_trunc('day', ${clock.now().toISOString()}::timestamptz, 'UTC'), 499
    from products where code = 'keldris' on conflict (scope, key, window_start) do update set count = 499`)
  const answers = await Promise.all([1, 2, 3].map(() => start()))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 429, 429])
  const email = somebody()
  expect((await start({ email })).body.reason).toBe('trials_of_product')
  app.clock.advance(86_400_000)
  expect((await start({ email })).status).toBe(201)
})
