import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RELAY_LEASE_TYP, type RelayLeaseClaims } from '../../src/contract/claims.ts'
import { verifyAllotment } from '../../src/license/allotment.ts'
import { verifyRelayLease } from '../../src/license/relay-lease.ts'
import { keyThumbprint } from '../../src/license/trusted-keys.ts'
import { unixSeconds } from '../../src/platform/time.ts'
import { type Answer, ISSUER, startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { type EnrolledRelay, enrolRelay } from '../support/relay.ts'
import { createWorld, newCustomer, type World } from '../support/world.ts'
import { nodeJws } from '../unit/license/fixtures.ts'

let app: TestApp
let other: TestApp
let first: World
beforeAll(async () => {
  app = await startTestApp()
  other = await startTestApp({ beside: app })
  first = await createWorld(app, { instanceAuth: 'token' })
})
afterAll(async () => {
  await other.stop()
  await app.stop()
})

const DAY = 86_400_000
const ALLOTMENTS = '/api/v1/relay/allotments'
const LEASES = '/api/v1/relay/leases'

const share = (relay: EnrolledRelay, world: World, seats: number) =>
  app.admin('PUT', `/relays/${relay.id}/allotments/${world.licenseId}`, { seats })
const ask = (relay: EnrolledRelay, world: World, seats: number, more: object = {}) =>
  relay.post(ALLOTMENTS, { license_id: world.licenseId, seats, ...more })
const exchange = (world: World, instance_id: string, on = app) =>
  on.call('POST', '/api/v1/licenses/token', { bearer: world.apiKey, body: { instance_id, version: '1' } })
const seatsOf = async (world: World) => {
  const { seats_in_use, seats_allotted } = (await app.admin('GET', `/licenses/${world.licenseId}`)).body
  return [seats_in_use, seats_allotted]
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const refusalOf = ({ status, body }: Answer) => [status, body.error, body.reason]

/** A license of its own, and a relay with a share of it. */
async function place(seat_limit: number | null, seats: number) {
  const world = await first.another({ seat_limit })
  const relay = await enrolRelay(app, world.customerId)
  expect((await share(relay, world, seats)).status).toBe(200)
  return { world, relay }
}

describe('an allotment', () => {
  test('is signed by the vendor for this relay and its key, for at most 30 days', async () => {
    const { world, relay } = await place(10, 4)
    const { body } = await ask(relay, world, 9)
    const now = app.clock.now()
    expect(body).toMatchObject({
      seats: 4,
      expires_at: new Date(now.getTime() + 30 * DAY).toISOString().replace('.000', ''),
    })
    const verified = await verifyAllotment(body.allotment, {
      issuer: ISSUER,
      product: 'keldris',
      relayId: relay.id,
      keys: (await app.services.keyring.reload()).trusted,
      acceptRetired: false,
      age: 'unexpired',
      now: unixSeconds(now),
    })
    expect(verified).toMatchObject({
      ok: true,
      claims: {
        license_id: world.licenseId,
        seats: 4,
        cnf: { jwk: { x: relay.x } },
        grant: { tier: 'pro', features: ['audit_logs', 'oidc'], limits: { max_agents: 100 }, grace_days: 30 },
      },
    })
    expect(await seatsOf(world)).toEqual([0, 4])
    expect((await app.admin('GET', `/relays/${relay.id}`)).body.allotments).toMatchObject([
      { license_id: world.licenseId, share: 4, seats: 4, counted_seats: 4, live_leases: 0 },
    ])
  })

  test('ends with the license and its grace', async () => {
    const end = new Date(app.clock.now().getTime() + 5 * DAY).toISOString()
    const world = await first.another({ expires_at: end, grace_days: 3 })
    const relay = await enrolRelay(app, world.customerId)
    await share(relay, world, 1)
    const { body } = await ask(relay, world, 1)
    expect(claimsOf(body.allotment).exp).toBe(unixSeconds(new Date(Date.parse(end) + 3 * DAY)))
  })

  test('takes what is free and no more, and its seats are not free for instances', async () => {
    const { world, relay } = await place(3, 10)
    expect((await exchange(world, 'a-1')).status).toBe(200)
    expect((await ask(relay, world, 10)).body.seats).toBe(2)
    expect(refusalOf(await exchange(world, 'a-2')).slice(0, 2)).toEqual([403, 'instance_limit_reached'])
    const second = await enrolRelay(app, world.customerId)
    await share(second, world, 1)
    expect(refusalOf(await ask(second, world, 1))).toEqual([403, 'allotment_refused', 'no_free_seats'])
    app.clock.advance(29 * DAY)
    expect((await exchange(world, 'a-2')).status).toBe(403)
    app.clock.advance(1 * DAY)
    expect((await exchange(world, 'a-2')).status).toBe(200)
  })

  test('is refused without a share, of a stranger, and of a license that is not in force', async () => {
    const { world, relay } = await place(3, 2)
    const { body: before } = await ask(relay, world, 2)
    await app.admin('POST', `/licenses/${world.licenseId}/suspend`, {})
    expect(refusalOf(await ask(relay, world, 2))).toEqual([403, 'license_suspended', 'license_suspended'])
    const listed = (await app.call('GET', '/api/v1/relay/licenses?limit=200', { bearer: relay.key })).body
    expect(listed.find((row: { license_id: string }) => row.license_id === world.licenseId)).toMatchObject({
      status: 'suspended',
      reason: 'license_suspended',
      share: 2,
      allotment: { seats: 2, expires_at: before.expires_at },
    })
    const given = await ask(relay, world, 0, { current: before.allotment })
    expect([given.status, given.body]).toEqual([200, { allotment: null, expires_at: null, seats: 0 }])
    const foreign = await first.another({}, await newCustomer(app))
    expect((await ask(relay, foreign, 1)).status).toBe(404)
    expect((await share(relay, foreign, 1)).status).toBe(409)
    const none = await first.another()
    expect(refusalOf(await ask(relay, none, 1))).toEqual([403, 'allotment_refused', 'no_share'])
    expect(listed.map((row: { license_id: string }) => row.license_id)).not.toContain(foreign.licenseId)
    await app.admin('POST', `/relays/${relay.id}/revoke`)
    expect((await ask(relay, world, 1)).body.error).toBe('relay_key_revoked')
    expect((await app.call('POST', ALLOTMENTS, { bearer: world.apiKey, body: {} })).status).toBe(401)
  })

  test('that shrinks counts until the relay acknowledged it, or the larger one has ended', async () => {
    const { world, relay } = await place(10, 6)
    await ask(relay, world, 6)
    app.clock.advance(DAY)
    await share(relay, world, 2)
    const { body: smaller } = await ask(relay, world, 6)
    expect(smaller.seats).toBe(2)
    expect(await seatsOf(world)).toEqual([0, 6])
    const { body: acknowledged } = await ask(relay, world, 2, { current: smaller.allotment })
    expect(acknowledged.seats).toBe(2)
    expect(await seatsOf(world)).toEqual([0, 2])

    const silent = await place(10, 6)
    await ask(silent.relay, silent.world, 6)
    app.clock.advance(10 * DAY)
    await ask(silent.relay, silent.world, 1)
    app.clock.advance(19 * DAY)
    expect(await seatsOf(silent.world)).toEqual([0, 6])
    app.clock.advance(DAY)
    expect(await seatsOf(silent.world)).toEqual([0, 1])
  })

  test('is not free while leases of it run, whatever the relay says', async () => {
    const { world, relay } = await place(3, 3)
    const { body } = await ask(relay, world, 3)
    const lease = (instance_id: string) => leaseOf(world, instance_id)
    await relay.post(LEASES, { leases: [lease('l-1'), lease('l-2')] })
    await ask(relay, world, 0, { current: body.allotment, release: true })
    expect(await seatsOf(world)).toEqual([0, 2])
    app.clock.advance(2 * DAY)
    expect(await seatsOf(world)).toEqual([0, 0])
  })

  test('of a relay that an admin ended counts no longer; enrolled on another machine neither', async () => {
    const { world, relay } = await place(3, 3)
    await ask(relay, world, 3)
    await app.admin('DELETE', `/relays/${relay.id}/allotments/${world.licenseId}`)
    expect(await seatsOf(world)).toEqual([0, 3])
    await app.admin('DELETE', `/relays/${relay.id}/allotments/${world.licenseId}?end=true`)
    expect(await seatsOf(world)).toEqual([0, 0])
    expect(refusalOf(await ask(relay, world, 1))).toEqual([403, 'allotment_refused', 'no_share'])
  })

  test('that a restored database does not know is learned again', async () => {
    const { world, relay } = await place(5, 3)
    const { body: before } = await ask(relay, world, 3)
    const { seq } = claimsOf(before.allotment)
    await query(app.databaseUrl, `delete from relay_allotments where seq = ${seq}`)
    expect(await seatsOf(world)).toEqual([0, 0])
    const { body: after } = await ask(relay, world, 3, { current: before.allotment })
    expect(after.seats).toBe(3)
    expect(claimsOf(after.allotment).seq).toBeGreaterThan(seq)
    // Another relay's teaches nothing.
    const thief = await enrolRelay(app, world.customerId)
    expect(refusalOf(await ask(thief, world, 1, { current: after.allotment }))[2]).toBe('no_share')
  })

  test('2 relays and 50 activations at once on 40 seats never come to more than 40', async () => {
    const world = await first.another({ seat_limit: 40 })
    const relays = [await enrolRelay(app, world.customerId), await enrolRelay(app, world.customerId)]
    for (const relay of relays) await share(relay, world, 4)
    // Else the activations may take them all.
    for (const relay of relays) await ask(relay, world, 1)
    const allot = relays.flatMap((relay) =>
      [1, 2, 3, 4].map((seats) => async () => {
        const { status, body } = await ask(relay, world, seats)
        expect([200, 403]).toContain(status)
        return body
      }),
    )
    const activate = Array.from({ length: 50 }, (_, n) => async () => {
      const { status } = await exchange(world, `r-${n}`, n % 2 === 0 ? app : other)
      expect([200, 403]).toContain(status)
    })
    await Promise.all([...activate.slice(0, 10), ...allot, ...activate.slice(10)].map((work) => work()))
    const [held = 0, allotted = 0] = await seatsOf(world)
    expect(allotted).toBeGreaterThan(0)
    expect(held + allotted).toBe(40)
  })

  test('6 relays at once on 4 seats never come to more than 4', async () => {
    const world = await first.another({ seat_limit: 4 })
    const relays = await Promise.all(Array.from({ length: 6 }, () => enrolRelay(app, world.customerId)))
    for (const relay of relays) await share(relay, world, 3)
    await Promise.all(relays.map((relay) => ask(relay, world, 3)))
    expect(await seatsOf(world)).toEqual([0, 4])
  })
})

const leaseOf = (world: World, instance_id: string, more: object = {}) => ({
  license_id: world.licenseId,
  instance_id,
  product: 'keldris',
  issued_at: app.clock.now().toISOString(),
  expires_at: new Date(app.clock.now().getTime() + DAY).toISOString(),
  ...more,
})
const accusations = async (relay: EnrolledRelay) =>
  (await app.admin('GET', `/anomalies?relay=${relay.id}&type=relay_cloned`)).body

describe('the leases of a relay', () => {
  test('verify from the relay over its allotment up to the vendor, whatever process signed', async () => {
    const { world, relay } = await place(10, 2)
    const { body } = await ask(relay, world, 2)
    const now = unixSeconds(app.clock.now())
    const claims: RelayLeaseClaims = {
      iss: relay.id,
      aud: 'keldris',
      sub: 'offline-1',
      allotment: body.allotment,
      iat: now,
      exp: now + 86_400,
    }
    const kid = await keyThumbprint(Buffer.from(relay.x, 'base64url'))
    const header = { alg: 'EdDSA', typ: RELAY_LEASE_TYP, kid }
    const pair = { privateKey: relay.privateKey } as Parameters<typeof nodeJws>[0]
    const expected = {
      issuer: ISSUER,
      product: 'keldris',
      instanceId: 'offline-1',
      keys: (await other.services.keyring.reload()).trusted,
      acceptRetired: false,
      age: 'unexpired',
      now,
    } as const
    expect(await verifyRelayLease(nodeJws(pair, header, claims), expected)).toMatchObject({
      ok: true,
      allotment: { license_id: world.licenseId, grant: { tier: 'pro' } },
    })
  })

  test('are taken in once, in any order, and given back for good', async () => {
    const { world, relay } = await place(10, 2)
    await ask(relay, world, 2)
    const one = leaseOf(world, 'x-1')
    const live = async () => (await app.admin('GET', `/relays/${relay.id}`)).body.allotments[0].live_leases
    const { body } = await relay.post(LEASES, { leases: [one, one, leaseOf(world, 'x-2')] })
    expect(body).toEqual({ accepted: 3, rejected: [], refresh_token: expect.any(String) })
    expect(await live()).toBe(2)
    await relay.post(LEASES, { leases: [{ ...one, released: true }] })
    await relay.post(LEASES, { leases: [one] })
    expect(await live()).toBe(1)
    app.clock.advance(60_000)
    await relay.post(LEASES, { leases: [leaseOf(world, 'x-1')] })
    expect(await live()).toBe(2)
    expect(await accusations(relay)).toEqual([])
  })

  test('of strangers, without an allotment, or longer than any allotment are refused one by one', async () => {
    const { world, relay } = await place(10, 2)
    await ask(relay, world, 2)
    const foreign = await first.another({}, await newCustomer(app))
    const { body } = await relay.post(LEASES, {
      leases: [
        7,
        leaseOf(foreign, 'f'),
        leaseOf(world, 'g', { product: 'other' }),
        leaseOf(world, 'h', { expires_at: new Date(app.clock.now().getTime() + 31 * DAY).toISOString() }),
        leaseOf(world, 'i'),
      ],
    })
    expect(body).toMatchObject({
      accepted: 1,
      rejected: [
        { index: 0, error: 'invalid_request' },
        { index: 1, error: 'allotment_unknown' },
        { index: 2, error: 'allotment_unknown' },
        { index: 3, error: 'invalid_request' },
      ],
    })
    const many = Array.from({ length: 501 }, (_, n) => leaseOf(world, `m-${n}`))
    expect((await relay.post(LEASES, { leases: many })).status).toBe(422)
  })

  test('beyond the seats allotted accuse the relay: somebody copied it', async () => {
    const { world, relay } = await place(10, 2)
    await ask(relay, world, 2)
    for (const copy of ['a', 'b']) {
      await relay.post(LEASES, { leases: [leaseOf(world, `${copy}-1`), leaseOf(world, `${copy}-2`)] })
    }
    const [found, ...more] = await accusations(relay)
    expect(more).toEqual([])
    expect(found).toMatchObject({
      type: 'relay_cloned',
      severity: 'high',
      instance: null,
      relay: { id: relay.id, name: 'Plant 2' },
      product: 'keldris',
      proof: 'relay',
      verified: true,
      evidence: { licenses: [{ license_id: world.licenseId, seats: 2, live_leases: 4 }] },
    })
    const { status } = await app.admin('POST', `/anomalies/${found.id}/resolve`, { note: 'a drill' })
    expect(status).toBe(200)
    expect(await accusations(relay)).toEqual([])
  })

  test('told by two copies in turn accuse the relay too; one that loses answers is not accused', async () => {
    const { world, relay } = await place(10, 2)
    await ask(relay, world, 2)
    const tell = async (refresh_token?: string, refresh_id?: string): Promise<string> =>
      (await relay.post(LEASES, { leases: [], refresh_token, refresh_id })).body.refresh_token
    const start = await tell()
    const lossy = await tell(start, 'lost')
    expect(await tell(start, 'lost')).toBe(lossy)
    let [mine, copied] = [lossy, lossy]
    for (let turn = 0; turn < 10; turn += 1) {
      if (turn === 2) expect(await accusations(relay)).toEqual([])
      app.clock.advance(6 * 3_600_000)
      mine = await tell(mine, `mine-${turn}`)
      app.clock.advance(3_600_000)
      copied = await tell(copied, `copy-${turn}`)
    }
    expect(await accusations(relay)).toMatchObject([{ type: 'relay_cloned', relay: { id: relay.id } }])
  })
})
