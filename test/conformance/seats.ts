// Register, activate, validate and deactivate; what an admin's action and a race do to them.
import { describe, expect, test } from 'vitest'
import { verifyByJwks, verifyByKeySet, verifyRaw } from '../support/verify.ts'
import type { World } from '../support/world.ts'
import { NONCE } from './sessions.ts'
import type { Fixture } from './suite.ts'

const SEATS = 4
const ASKING = 16

export function seatsPart(fixture: () => Fixture): void {
  const seat = (verb: string, instance_id: string, of: World = fixture().open, more: object = {}) =>
    fixture().post(`/licenses/${verb}`, {
      license_key: of.licenseKey,
      instance_id,
      product: of.product,
      ...more,
    })
  const license = (seat_limit: number | null) => fixture().open.another({ expires_at: null, seat_limit })

  describe('register', () => {
    test('is an upsert; the token is given again until it was presented, then it is 409', async () => {
      const { post } = fixture()
      const register = (bearer?: string) =>
        post('/instances/register', { instance_id: 'g-1', product: 'shielded', hostname: 'h' }, bearer)
      const first = await register()
      expect(first.body).toMatchObject({
        status: 'registered',
        instance_token: expect.stringMatching(/^lit_/),
      })
      const { instance_token } = (await register()).body
      expect(instance_token).not.toBe(first.body.instance_token)
      expect((await register(instance_token)).status).toBe(200)
      const taken = await register()
      expect([taken.status, taken.body.error]).toEqual([409, 'instance_id_taken'])
      expect(taken.body.fix).toEqual(expect.any(String))
    })
  })

  describe('seats', () => {
    test('activate answers with a JWT and an entitlement token that both verify', async () => {
      const { target, open } = fixture()
      const { status, headers, body } = await seat('activate', 's-1', open, { nonce: NONCE })
      expect([status, headers.get('Cache-Control')]).toEqual([200, 'no-store'])
      expect(body).toMatchObject({
        status: 'active',
        tier: 'pro',
        company: 'Analytical Engines',
        expires_at: '9999-12-31T23:59:59Z',
        limits: { max_agents: 100 },
      })
      expect((await verifyByJwks(target.call, body.jwt)).payload).toMatchObject({ instance_id: 's-1' })
      expect(await verifyRaw(target.call, 'keldris', body.entitlement_token)).toMatchObject({ tier: 'pro' })
      expect((await verifyByKeySet(target.call, body.directive)).payload.status).toBe('active')
    })

    test('validate says valid; deactivate frees the seat, as often as it is asked', async () => {
      const own = await license(1)
      expect((await seat('activate', 's-2', own)).body.status).toBe('active')
      expect((await seat('validate', 's-2', own)).body.status).toBe('valid')
      expect((await seat('activate', 's-3', own)).body).toMatchObject({ status: 'limit_reached', limit: 1 })
      for (const _ of ['once', 'twice']) {
        expect((await seat('deactivate', 's-2', own)).body).toEqual({ status: 'deactivated' })
      }
      expect((await seat('activate', 's-3', own)).body.status).toBe('active')
    })

    test('a denial hands out no grant', async () => {
      const own = await license(null)
      await seat('activate', 's-4', own)
      await fixture().target.admin('POST', `/licenses/${own.licenseId}/suspend`, { reason: 'unpaid' })
      for (const verb of ['activate', 'validate']) {
        const { status, body } = await seat(verb, 's-4', own)
        expect([status, body.status, body.reason]).toEqual([200, 'revoked', 'license_suspended'])
        for (const grant of ['jwt', 'entitlement_token', 'refresh_token']) {
          expect(body).not.toHaveProperty(grant)
        }
      }
    })

    test('T2: a malformed key is 400, a foreign one 404', async () => {
      const { open, shielded } = fixture()
      const malformed = await seat('activate', 's-5', { ...open, licenseKey: 'no key' })
      expect([malformed.status, malformed.body.error]).toEqual([400, 'license_key_malformed'])
      const foreign = await seat('activate', 's-5', { ...shielded, product: 'keldris' })
      expect(foreign.status).toBeGreaterThanOrEqual(403)
      expect(foreign.body).not.toHaveProperty('status', expect.any(String))
    })

    test(`T10: of ${ASKING} instances that ask at once for ${SEATS} seats, ${SEATS} get one`, async () => {
      const own = await license(SEATS)
      // A busy machine may answer 503 and be asked again: what counts is who gets a seat.
      const patient = async (n: number): ReturnType<typeof seat> => {
        const answer = await seat('activate', `race-${n}`, own)
        return answer.status === 503 ? patient(n) : answer
      }
      const answers = await Promise.all(Array.from({ length: ASKING }, (_, n) => patient(n)))
      const statuses = answers.map(({ body }) => body.status).sort()
      expect(statuses).toEqual([
        ...Array<string>(SEATS).fill('active'),
        ...Array<string>(ASKING - SEATS).fill('limit_reached'),
      ])
      const { body } = await fixture().target.admin('GET', `/licenses/${own.licenseId}`)
      expect(body.seats_in_use).toBe(SEATS)
    })

    test('T10: one instance that asks many times at once takes one seat', async () => {
      const own = await license(1)
      const answers = await Promise.all(Array.from({ length: 8 }, () => seat('activate', 's-6', own)))
      expect(answers.map(({ body }) => body.status)).toEqual(answers.map(() => 'active'))
    })
  })

  describe('an admin’s action', () => {
    test('T3: kill, downgrade and none are told by directives, and change what is granted', async () => {
      const { target, open } = fixture()
      await seat('activate', 'k-1')
      const { body: found } = await target.admin('GET', '/instances?text=k-1')
      const act = (action: string) =>
        target.admin('POST', `/instances/${found[0].id}/action`, { action, reason: 'because' })
      const told = async () => {
        const { body } = await seat('validate', 'k-1', open, { nonce: NONCE })
        return { body, directive: (await verifyByKeySet(target.call, body.directive)).payload }
      }
      expect((await act('kill')).status).toBe(200)
      const killed = await told()
      expect(killed.directive).toMatchObject({ action: 'kill', sub: 'k-1' })
      expect(killed.body).toMatchObject({ status: 'revoked', reason: 'instance_killed' })
      expect(killed.body).not.toHaveProperty('jwt')
      expect((await act('downgrade')).status).toBe(200)
      const downgraded = await told()
      expect(downgraded.directive.action).toBe('downgrade')
      expect(downgraded.body).toMatchObject({ status: 'valid', tier: 'free' })
      expect(downgraded.body).not.toHaveProperty('entitlement_token')
      expect((await act('none')).status).toBe(200)
      const cleared = await told()
      expect(cleared.directive.action).toBe('none')
      expect(cleared.directive.seq).toBeGreaterThan(killed.directive.seq)
      expect(cleared.body).toMatchObject({ status: 'valid', tier: 'pro', jwt: expect.any(String) })
    })
  })
}
