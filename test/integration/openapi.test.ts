import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'

let app: TestApp
let isReady = true
beforeAll(async () => {
  app = await startTestApp({
    dependencies: {
      metricsText: async () => ({ text: 'up 1\n', contentType: 'text/plain; version=0.0.4' }),
      readiness: async () => ({ ready: isReady, checks: { server: { ok: isReady } } }),
    },
  })
})
afterAll(() => app.stop())

test('the document describes every route that serves', async () => {
  const { status, body } = await app.call('GET', '/openapi.json')
  expect(status).toBe(200)
  expect(body.openapi).toBe('3.1.0')
  const described = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  expect(described).toContain('post /api/v1/licenses/token')
  expect(described).toContain('post /api/v1/admin/instances/{id}/action')
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
    expect(described).toContain(`get ${path}`)
    expect((await app.call('GET', path)).status).toBe(200)
  }
  expect(described.length).toBeGreaterThan(40)
})

test('a server that is not ready says when to ask again', async () => {
  const ready = await app.call('GET', '/readyz')
  expect([ready.status, ready.headers.get('Retry-After')]).toEqual([200, null])
  isReady = false
  const { status, headers, body } = await app.call('GET', '/readyz')
  isReady = true
  expect([status, body]).toEqual([503, { status: 'not_ready', checks: { server: { ok: false } } }])
  expect(headers.get('Retry-After')).toMatch(/^\d+$/)
})

test('a request without a body, JSON, or a known path is told so', async () => {
  const call = (headers: Record<string, string>, body: string) =>
    app.call('POST', '/api/v1/instances/register', { body, headers })
  expect((await call({ 'Content-Type': 'text/plain' }, '{}')).status).toBe(415)
  expect((await call({}, '{')).body.error).toBe('invalid_json')
  expect((await call({}, '[]')).status).toBe(422)
  expect((await call({}, JSON.stringify({ instance_id: 'a\u0000b', product: 'k' }))).status).toBe(422)
  expect((await call({}, '{"instance_id":"\\ud800","product":"k"}')).status).toBe(422)
  expect((await call({}, JSON.stringify({ instance_id: 'x'.repeat(70_000) }))).status).toBe(413)
  expect((await app.call('GET', '/api/v1/nothing')).body.error).toBe('not_found')
  expect((await app.call('POST', '/api/v1/instances/register')).status).toBe(422)
  const empty = await call({ 'Content-Type': 'application/x-www-form-urlencoded' }, '')
  expect([empty.status, empty.body.error]).toEqual([415, 'unsupported_media_type'])
})

test('no admin operation takes a query member that it does not declare, dry_run least of all', async () => {
  const { body: document } = await app.call('GET', '/openapi.json')
  type Described = { parameters?: { in?: string; name?: string }[] }
  const operations = Object.entries(document.paths as Record<string, Record<string, Described>>)
    .filter(([path]) => path.startsWith('/api/v1/admin/'))
    .flatMap(([path, item]) =>
      Object.entries(item).map(([method, described]) => ({ path, method, described })),
    )
  expect(operations.length).toBeGreaterThan(60)
  const refused: string[] = []
  for (const { path, method, described } of operations) {
    const declared = (described.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name)
    for (const member of declared.includes('dry_run') ? ['nonsense'] : ['nonsense', 'dry_run']) {
      const verb = method.toUpperCase()
      const made = verb === 'GET' || verb === 'DELETE' ? {} : { body: {} }
      const url = `${path.replaceAll(/\{[^}]+\}/g, 'x')}?${member}=true`
      const { status, body } = await app.call(verb, url, { bearer: app.adminKey, ...made })
      if (status === 422 && body.error === 'invalid_request' && body.errors?.[0]?.pointer === `/${member}`)
        continue
      refused.push(`${verb} ${url} is answered ${status} ${body?.error}`)
    }
  }
  expect(refused).toEqual([])
})

test('a write with an undeclared dry_run is refused whole, whether its member stands alone or twice', async () => {
  const { body: made } = await app.admin('POST', '/admin-keys', { name: 'k', role: 'auditor' })
  const { body: product } = await app.admin('POST', '/products', { code: 'p', name: 'Before' })
  const rows = () => query(app.databaseUrl, 'select count(*)::int as n from audit_log')
  const before = await rows()
  for (const [method, path, body] of [
    ['POST', `/admin-keys/${made.id}/revoke?dry_run=true`, {}],
    ['POST', `/admin-keys/${made.id}/revoke?dry_run`, {}],
    ['PATCH', `/products/${product.code}?dry_run=true&dry_run=false`, { name: 'After' }],
    ['POST', '/signing-keys/rotate?%64ry_run=1', { product: 'p', use: 'license' }],
  ] as const) {
    const { status, body: said } = await app.admin(method, path, body)
    expect([path, status, said.errors?.[0]?.pointer]).toEqual([path, 422, '/dry_run'])
  }
  expect(await rows()).toEqual(before)
})
