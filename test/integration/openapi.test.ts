import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

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
