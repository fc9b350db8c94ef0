import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const ada = {
  name: 'Ada Lovelace',
  company: 'Analytical Engines 100%',
  email: 'ada@example.com',
  metadata: { crm: { id: 4711 } },
}

describe('customers', () => {
  test('one is created, read and changed; what is not named stays', async () => {
    const made = await app.admin('POST', '/customers', ada)
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ ...ada, id: expect.stringMatching(/^cus_[0-9a-f]{32}$/) })
    app.clock.advance(5000)
    const changed = await app.admin('PATCH', `/customers/${made.body.id}`, { email: null })
    expect(changed.body).toEqual({ ...made.body, email: null, updated_at: '2026-03-01T12:00:05Z' })
    expect((await app.admin('GET', `/customers/${made.body.id}`)).body).toEqual(changed.body)
  })

  test('a name alone is enough', async () => {
    const { body } = await app.admin('POST', '/customers', { name: 'Grace_Hopper' })
    expect(body).toMatchObject({ company: '', email: null, metadata: {} })
  })

  test.each([
    ['ADA', ['Ada Lovelace']],
    ['engines 100%', ['Ada Lovelace']],
    ['e_H', ['Grace_Hopper']],
    ['e%H', []],
    ['a', ['Grace_Hopper', 'Ada Lovelace']],
    ["' or 1=1 --", []],
    ['\\', []],
  ])('looking for %s finds %j', async (text, names) => {
    const { body } = await app.admin('GET', `/customers?q=${encodeURIComponent(text)}`)
    expect(body.map(({ name }: { name: string }) => name)).toEqual(names)
  })

  test('a search is paged like any list, and keeps its text in the next link', async () => {
    for (let n = 0; n < 3; n += 1) await app.admin('POST', '/customers', { name: `Paged & more ${n}` })
    const first = await app.admin('GET', `/customers?limit=2&q=${encodeURIComponent('d & m')}`)
    expect(first.body).toHaveLength(2)
    const next = /^<(.+)>; rel="next"$/.exec(first.headers.get('Link') ?? '')?.[1] ?? ''
    const second = await app.call('GET', next, { bearer: app.adminKey })
    expect(second.body.map(({ name }: { name: string }) => name)).toEqual(['Paged & more 0'])
    expect(second.headers.has('Link')).toBe(false)
  })

  test.each([
    ['no name', {}],
    ['a blank name', { name: ' ' }],
    ['a broken e-mail address', { name: 'x', email: 'nobody' }],
    ['an unknown member', { name: 'x', phone: '1' }],
    ['U+0000', { name: 'a\u0000b' }],
  ])('%s is refused', async (_, body) => {
    expect((await app.admin('POST', '/customers', body)).status).toBe(422)
  })

  test('a text that Postgres cannot hold is refused in a search too', async () => {
    expect((await app.admin('GET', '/customers?q=%00')).status).toBe(422)
  })

  test('an operator writes, support and auditors only read', async () => {
    const keyOf = async (role: 'operator' | 'support' | 'auditor') =>
      (await createAdminKey(app.ctx, { name: role, role, expires_at: null })).secret
    const create = (bearer: string) =>
      app.call('POST', '/api/v1/admin/customers', { bearer, body: { name: 'x' } })
    expect((await create(await keyOf('operator'))).status).toBe(201)
    for (const role of ['support', 'auditor'] as const) {
      const bearer = await keyOf(role)
      expect((await create(bearer)).status).toBe(403)
      expect((await app.call('GET', '/api/v1/admin/customers', { bearer })).status).toBe(200)
    }
  })

  test('the audit log tells which members were changed, and none of what they said', async () => {
    const { body: made } = await app.admin('POST', '/customers', {
      name: 'Private',
      email: 'old@example.com',
    })
    await app.admin('PATCH', `/customers/${made.id}`, { email: 'new@example.com' })
    const { body, text } = await app.admin('GET', `/audit?subject=${made.id}&action=customer.change`)
    expect(body[0].details).toEqual({ changed: ['email'] })
    expect(text).not.toContain('example.com')
  })
})
