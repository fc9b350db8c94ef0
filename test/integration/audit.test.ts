import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let operator: { id: string; secret: string }

beforeAll(async () => {
  app = await startTestApp()
  const { key, secret } = await createAdminKey(app.ctx, { name: 'op', role: 'operator', expires_at: null })
  operator = { id: `adm_${key.id.replaceAll('-', '')}`, secret }
  for (const hour of ['13', '14', '15']) {
    app.clock.set(new Date(`2026-03-01T${hour}:00:00Z`))
    await app.call('POST', '/api/v1/admin/customers', { bearer: operator.secret, body: { name: hour } })
  }
  await app.admin('POST', '/products', { code: 'keldris', name: 'Keldris' })
})
afterAll(() => app.stop())

const names = async (query: string) =>
  (await app.admin('GET', `/audit?${query}`)).body.map(
    (entry: { details: { name: string } }) => entry.details.name,
  )

describe('the audit log', () => {
  test('is newest first, and each entry names actor, action, subject and request', async () => {
    const { body } = await app.admin('GET', '/audit')
    expect(body.map(({ action }: { action: string }) => action)).toEqual([
      'product.create',
      'customer.create',
      'customer.create',
      'customer.create',
      'admin_key.create',
      'admin_key.create',
    ])
    expect(body[1]).toMatchObject({
      id: expect.stringMatching(/^aud_/),
      at: '2026-03-01T15:00:00Z',
      actor_kind: 'admin',
      actor: operator.id,
      subject: expect.stringMatching(/^cus_/),
      reason: null,
      request_id: expect.stringMatching(/^req_/),
    })
    expect(body.at(-1)).toMatchObject({ actor_kind: 'system', actor: 'test' })
  })

  test('is filtered by actor, action and time, from included and to not', async () => {
    expect(await names(`actor=${operator.id}`)).toEqual(['15', '14', '13'])
    expect(await names('action=product.create')).toEqual(['Keldris'])
    expect(await names('action=customer.create&from=2026-03-01T14:00:00Z')).toEqual(['15', '14'])
    expect(await names('action=customer.create&to=2026-03-01T14:00:00Z')).toEqual(['13'])
    const offset = encodeURIComponent('2026-03-01T16:00:00+02:00')
    expect(await names(`action=customer.create&from=${offset}&to=2026-03-01T14:00:01Z`)).toEqual(['14'])
    expect(await names('actor=nobody')).toEqual([])
  })

  test('goes on where a page ended, with the same filters', async () => {
    const first = await app.admin('GET', `/audit?actor=${operator.id}&limit=2`)
    const next = /^<(.+)>; rel="next"$/.exec(first.headers.get('Link') ?? '')?.[1] ?? ''
    const second = await app.call('GET', next, { bearer: app.adminKey })
    expect(second.body.map((entry: { details: { name: string } }) => entry.details.name)).toEqual(['13'])
  })

  test.each(['from=yesterday', 'actor=', 'subject=%00', 'acter=x'])('?%s is refused', async (query) => {
    expect((await app.admin('GET', `/audit?${query}`)).status).toBe(422)
  })

  test('is closed to a request without a key', async () => {
    expect((await app.call('GET', '/api/v1/admin/audit')).status).toBe(401)
  })
})

describe('the events', () => {
  test('come in the order of their numbers, and resume after any of them', async () => {
    const { body: all } = await app.admin('GET', '/events')
    const numbers = all.map(({ number }: { number: number }) => number)
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    expect(all.map(({ type }: { type: string }) => type)).toEqual([
      'admin.changed',
      'admin.changed',
      'customer.changed',
      'customer.changed',
      'customer.changed',
      'catalog.changed',
    ])
    const { body: rest } = await app.admin('GET', `/events?after=${numbers[3]}`)
    expect(rest).toEqual(all.slice(4))
    const page = await app.admin('GET', '/events?limit=2')
    expect(page.headers.get('Link')).toBe(`</api/v1/admin/events?limit=2&after=${numbers[1]}>; rel="next"`)
  })

  test('rise past the clock and past one another (T12)', async () => {
    const { body } = await app.admin('GET', '/events')
    expect(body[0].number).toBe(Date.UTC(2026, 2, 1, 12))
    expect(body[1].number).toBe(body[0].number + 1)
  })

  test.each(['after=x', 'after=-1', 'after=1.5', 'limit=0'])('?%s is refused', async (query) => {
    expect((await app.admin('GET', `/events?${query}`)).status).toBe(422)
  })
})
