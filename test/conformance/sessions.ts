// Exchange and refresh: the life of a license JWT.
import { describe, expect, test } from 'vitest'
import { claimsOf, verifyByJwks, verifyByKeySet } from '../support/verify.ts'
import type { World } from '../support/world.ts'
import type { Fixture } from './suite.ts'

export const NONCE = 'n0nce_n0nce_n0nce-1'

export function sessionsPart(fixture: () => Fixture): void {
  const exchange = (bearer: string | undefined, instance_id: string, more: object = {}) =>
    fixture().post('/licenses/token', { instance_id, version: '1.0', ...more }, bearer)
  const refresh = (bearer: string, instance_id: string, more: object = {}) =>
    fixture().post('/licenses/refresh', { instance_id, version: '1.1', ...more }, bearer)
  const license = (more: object = {}): Promise<World> =>
    fixture().shielded.another({ expires_at: null, ...more })

  describe('exchange', () => {
    test('an API key gives a license JWT and a directive that the published JWK set verifies', async () => {
      const { target, shielded } = fixture()
      const { status, body, headers } = await exchange(shielded.apiKey, 'x-1', { nonce: NONCE })
      expect(status).toBe(200)
      expect(headers.get('Cache-Control')).toBe('no-store')
      expect(body).toMatchObject({
        expires_in: 86_400,
        message: null,
        action: 'none',
        instance_token: expect.stringMatching(/^lit_/),
        refresh_token: expect.stringMatching(/^[0-9a-f]{64}$/),
      })
      const { header, payload } = await verifyByJwks(target.call, body.jwt)
      expect(header).toMatchObject({ alg: 'EdDSA', typ: 'leasehold-license+jwt' })
      expect(payload).toMatchObject({
        iss: 'https://license.example.com',
        aud: 'shielded',
        license_id: shielded.licenseId,
        instance_id: 'x-1',
        tier: 'pro',
        limits: { max_agents: 100 },
        grace_days: 30,
        exp: payload.iat + 86_400,
        refresh_url: 'https://license.example.com/api/v1/licenses/refresh',
      })
      const directive = await verifyByKeySet(target.call, body.directive)
      expect(directive.header.typ).toBe('leasehold-directive+jwt')
      expect(directive.payload).toMatchObject({ sub: 'x-1', status: 'active', action: 'none', nonce: NONCE })
    })

    test('repeating it takes no second seat; the instance over the limit is refused with a signed reason', async () => {
      const own = await license({ seat_limit: 1 })
      const first = await exchange(own.apiKey, 'x-2')
      const again = await exchange(own.apiKey, 'x-2')
      expect([first.status, again.status]).toEqual([200, 200])
      expect(claimsOf(again.body.jwt).act).toBe(claimsOf(first.body.jwt).act)
      const { status, body } = await exchange(own.apiKey, 'x-3', { nonce: NONCE })
      expect([status, body.error, body.limit]).toEqual([403, 'instance_limit_reached', 1])
      const { payload } = await verifyByKeySet(fixture().target.call, body.directive)
      expect(payload).toMatchObject({ status: 'limit_reached', action: 'none' })
    })

    test('without, with a mistyped and with a revoked key it is 401, each with its code and a challenge', async () => {
      const own = await license()
      await fixture().target.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, {})
      const cases = [
        [undefined, 'unauthorized'],
        [`${own.apiKey.slice(0, -1)}_`, 'api_key_unknown'],
        [own.apiKey, 'api_key_revoked'],
      ] as const
      for (const [bearer, code] of cases) {
        const { status, headers, body } = await exchange(bearer, 'x-4', { nonce: NONCE })
        expect([status, body.error]).toEqual([401, code])
        expect(headers.get('Content-Type')).toBe('application/problem+json')
        expect(headers.get('WWW-Authenticate')).toMatch(/^Bearer/)
        expect(headers.get('Cache-Control')).toBe('no-store')
        expect(body).toMatchObject({ type: `urn:leasehold:problem:${code}`, message: body.detail })
        expect(body).not.toHaveProperty('directive')
      }
    })

    test.each([
      ['suspend', 'suspended'],
      ['revoke', 'revoked'],
    ])('T2: after %s the license is refused, and the directive says %s', async (verb, word) => {
      const own = await license()
      await fixture().target.admin('POST', `/licenses/${own.licenseId}/${verb}`, { reason: 'unpaid' })
      const { status, body } = await exchange(own.apiKey, `x-${word}`, { nonce: NONCE })
      expect([status, body.error]).toEqual([403, `license_${word}`])
      const { payload } = await verifyByKeySet(fixture().target.call, body.directive)
      expect(payload).toMatchObject({ status: word, license_id: own.licenseId })
    })
  })

  describe('refresh', () => {
    test('gives the next JWT of the same seat, with what has changed meanwhile', async () => {
      const { target } = fixture()
      const own = await license()
      const first = (await exchange(own.apiKey, 'r-1')).body
      await target.admin('PATCH', `/licenses/${own.licenseId}`, { tier: 'enterprise' })
      const { status, body } = await refresh(first.jwt, 'r-1', { nonce: NONCE })
      expect(status).toBe(200)
      const { payload } = await verifyByJwks(target.call, body.jwt)
      expect(payload).toMatchObject({ tier: 'enterprise', act: claimsOf(first.jwt).act })
      expect((await verifyByKeySet(target.call, body.directive)).payload.nonce).toBe(NONCE)
    })

    test('T5: a repeated request gets the same successor again', async () => {
      const own = await license()
      const { jwt, refresh_token } = (await exchange(own.apiKey, 'r-2')).body
      const next = () => refresh(jwt, 'r-2', { refresh_token, refresh_id: 'request-1' })
      const [once, twice] = [await next(), await next()]
      expect(once.body.refresh_token).toMatch(/^[0-9a-f]{64}$/)
      expect(twice.body.refresh_token).toBe(once.body.refresh_token)
    })

    test('an altered JWT, an API key, and another instance’s name are refused', async () => {
      const own = await license()
      const { jwt } = (await exchange(own.apiKey, 'r-3')).body
      const [head = '', , signature = ''] = jwt.split('.')
      const claims = Buffer.from(JSON.stringify({ ...claimsOf(jwt), tier: 'enterprise' })).toString(
        'base64url',
      )
      const altered = await refresh(`${head}.${claims}.${signature}`, 'r-3')
      expect([altered.status, altered.body.error]).toEqual([401, 'license_jwt_invalid'])
      expect((await refresh(own.apiKey, 'r-3')).status).toBe(401)
      const other = await refresh(jwt, 'r-4')
      expect([other.status, other.body.error]).toEqual([403, 'instance_mismatch'])
    })

    test('T8: a session that was ended with its credential is refused', async () => {
      const own = await license()
      const { jwt } = (await exchange(own.apiKey, 'r-5')).body
      await fixture().target.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, { end_sessions: true })
      const { status, body } = await refresh(jwt, 'r-5')
      expect([status, body.error]).toEqual([401, 'session_ended'])
    })
  })
}
