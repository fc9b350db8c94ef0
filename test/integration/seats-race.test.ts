import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer } from '../support/app.ts'
import { query } from '../support/query.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'
import { createWorld, type World } from '../support/world.ts'

const SEATS = 17
const INSTANCES = 200
const REPEATS = 50

describe('T10: seats under a race through two server processes', () => {
  let cluster: SeveralServers
  let world: World
  beforeAll(async () => {
    cluster = await startServers(2)
    world = await createWorld(cluster, { product: 'raced', license: { expires_at: null } })
  })
  afterAll(() => cluster?.stop())

  const license = (seat_limit: number) => world.another({ expires_at: null, seat_limit })
  const through = (i: number) => cluster.calls[i % cluster.calls.length] as SeveralServers['calls'][number]
  const activate = (i: number, instance_id: string, { licenseKey }: World) =>
    through(i)('POST', '/api/v1/licenses/activate', {
      body: { license_key: licenseKey, instance_id, product: 'raced' },
    })
  const exchange = (i: number, instance_id: string, { apiKey }: World) =>
    through(i)('POST', '/api/v1/licenses/token', { bearer: apiKey, body: { instance_id, version: '1.0.0' } })
  /** A busy machine may be told to come back, and does. */
  const patient = async (ask: () => Promise<Answer>): Promise<Answer> => {
    for (;;) {
      const answer = await ask()
      if (answer.body?.error !== 'overloaded') return answer
      await sleep(Number(answer.headers.get('Retry-After')) * 1000)
    }
  }
  const atOnce = (count: number, ask: (i: number) => Promise<Answer>) =>
    Promise.all(Array.from({ length: count }, (_, i) => patient(() => ask(i))))
  const seatsOf = async ({ licenseId }: World) => {
    const uuid = licenseId.replace('lic_', '')
    const rows = await query(
      cluster.databaseUrl,
      `select i.instance_id from activations a join instances i using (instance_key)
       where a.license_id = '${uuid}'::uuid and a.ended_at is null order by 1`,
    )
    return rows.map((row) => row.instance_id)
  }
  const seatsInUse = async ({ licenseId }: World) =>
    (await cluster.admin('GET', `/licenses/${licenseId}`)).body.seats_in_use

  test(`${INSTANCES} activations of ${SEATS} seats: exactly ${SEATS} are active, the rest is told the limit`, async () => {
    const own = await license(SEATS)
    const answers = await atOnce(INSTANCES, (i) => activate(i, `activated-${i}`, own))
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200))
    const active = answers.flatMap(({ body }, i) => (body.status === 'active' ? [`activated-${i}`] : []))
    const denied = answers.filter(({ body }) => body.status === 'limit_reached')
    expect([active.length, denied.length]).toEqual([SEATS, INSTANCES - SEATS])
    for (const { body } of denied) {
      expect(body).toMatchObject({ reason: 'instance_limit_reached', limit: SEATS, current: SEATS })
      expect(body).not.toHaveProperty('entitlement_token')
      expect(body).not.toHaveProperty('jwt')
    }
    expect(await seatsOf(own)).toEqual(active.sort())
    expect(await seatsInUse(own)).toBe(SEATS)
  })

  test(`${INSTANCES} exchanges for ${SEATS} seats: exactly ${SEATS} get a JWT, the rest 403`, async () => {
    const own = await license(SEATS)
    const answers = await atOnce(INSTANCES, (i) => exchange(i, `exchanged-${i}`, own))
    const granted = answers.flatMap(({ status }, i) => (status === 200 ? [`exchanged-${i}`] : []))
    const denied = answers.filter(({ status }) => status === 403)
    expect([granted.length, denied.length]).toEqual([SEATS, INSTANCES - SEATS])
    for (const { body } of denied) {
      expect(body).toMatchObject({ error: 'instance_limit_reached', limit: SEATS, current: SEATS })
    }
    expect(await seatsOf(own)).toEqual(granted.sort())
    expect(await seatsInUse(own)).toBe(SEATS)
  })

  test(`one instance, ${REPEATS} times at once and by both ways, takes the only seat once`, async () => {
    const own = await license(1)
    const answers = await atOnce(REPEATS, (i) =>
      i % 4 < 2 ? activate(i, 'always-the-same', own) : exchange(i, 'always-the-same', own),
    )
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200))
    for (const { body } of answers) expect(body.jwt).toEqual(expect.any(String))
    expect(await seatsOf(own)).toEqual(['always-the-same'])
    expect(await seatsInUse(own)).toBe(1)
    expect((await activate(0, 'another', own)).body).toMatchObject({ status: 'limit_reached', limit: 1 })
  })
})
