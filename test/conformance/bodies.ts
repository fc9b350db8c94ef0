// Bodies, paths and headers that are refused, and how a refusal looks.
import { describe, expect, test } from 'vitest'
import type { Fixture } from './suite.ts'

const KIB = 1024

export function bodiesPart(fixture: () => Fixture): void {
  const register = (body: unknown, headers: Record<string, string> = {}) =>
    fixture().target.call('POST', '/api/v1/instances/register', { body, headers })
  const named = (instance_id: string) => ({ instance_id, product: 'keldris' })

  describe('a refused request', () => {
    test.each<[string, unknown, Record<string, string>, number, string]>([
      ['a body that is no JSON', '{"instance_id":', {}, 400, 'invalid_json'],
      ['another content type', '{}', { 'Content-Type': 'text/plain' }, 415, 'unsupported_media_type'],
      ['a body over 64 KiB', named('x'.repeat(64 * KIB)), {}, 413, 'body_too_large'],
      ['U+0000 in a value', named('a\u0000b'), {}, 422, 'invalid_request'],
      ['U+0000 in a name', { ...named('a'), 'b\u0000': 1 }, {}, 422, 'invalid_request'],
      ['a lone surrogate', '{"instance_id":"\\ud800","product":"keldris"}', {}, 422, 'invalid_request'],
      ['a missing member', { product: 'keldris' }, {}, 422, 'invalid_request'],
      ['deep nesting', `${'['.repeat(100)}${']'.repeat(100)}`, {}, 422, 'invalid_request'],
      ['an unknown product', { instance_id: 'a', product: 'nobody' }, {}, 404, 'product_unknown'],
    ])('%s', async (_, body, more, status, code) => {
      const answer = await register(body, more)
      expect([answer.status, answer.body.error]).toEqual([status, code])
      expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
      expect(answer.body).toMatchObject({
        status,
        type: `urn:leasehold:problem:${code}`,
        title: expect.any(String),
        message: answer.body.detail,
        request_id: answer.headers.get('X-Request-Id'),
      })
    })

    test('a batch of telemetry may be 1 MiB, and not more', async () => {
      const { post, open } = fixture()
      const { jwt } = (await post('/licenses/token', { instance_id: 'b-1', version: '1' }, open.apiKey)).body
      const padded = (bytes: number) => ({ reports: [{}], padding: 'x'.repeat(bytes) })
      expect((await post('/telemetry', padded(900 * KIB), jwt)).status).toBe(200)
      expect((await post('/telemetry', padded(KIB * KIB), jwt)).status).toBe(413)
    })

    test('invalid values are named by pointer', async () => {
      const { body } = await register({ instance_id: 7, product: 'keldris', hostname: false })
      expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
        '/hostname',
        '/instance_id',
      ])
    })

    test('a path that is none is 404, and the admin API without a key 401', async () => {
      const { target } = fixture()
      expect((await target.call('GET', '/api/v1/nothing')).body.error).toBe('not_found')
      expect((await target.call('GET', '/api/v1/admin/licenses')).body.error).toBe('unauthorized')
    })
  })

  describe('a tolerated request', () => {
    test('members of the future are passed over, and the caller’s request id is kept', async () => {
      const answer = await register({ ...named('b-2'), of_the_future: [1] }, { 'X-Request-Id': 'trace-0001' })
      expect([answer.status, answer.headers.get('X-Request-Id')]).toEqual([200, 'trace-0001'])
    })

    test('the document describes what is served', async () => {
      const { body } = await fixture().target.call('GET', '/openapi.json')
      expect(body.openapi).toBe('3.1.0')
      expect(Object.keys(body.paths)).toContain('/api/v1/licenses/token')
    })
  })
}
