import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
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
  expect(described.length).toBeGreaterThan(40)
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
