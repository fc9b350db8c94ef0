// Floods from one address and with one credential: who is told to come back, what they are told, and who is not.
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { heldBodies } from '../../src/http/middleware/held-bodies.ts'
import { overloadGate } from '../../src/http/middleware/overload.ts'
import { tokenBuckets } from '../../src/platform/rate-limit.ts'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { type SlowSender, slowSender } from '../support/slow-sender.ts'
import { virtualClock } from '../support/virtual-clock.ts'
import { createWorld, type World } from '../support/world.ts'

const PER_ADDRESS = 40
const PER_CREDENTIAL = 100
const clock = virtualClock('2026-03-01T12:00:00Z')
/** So few places that a handful of slow senders could hold them all. */
const gate = overloadGate(8)
const BODIES = { places: 32, ofTheKnown: 4, perSender: 12 }
/** Two whole batches of strangers, and one of somebody known. */
const BATCHES = { places: 32, ofTheKnown: 16, perSender: 16 }
const bodies = heldBodies({ ordinary: BODIES, batch: BATCHES, longestMs: 3_000 })
let app: TestApp
let world: World
let peer = 0

beforeAll(async () => {
  app = await startTestApp({
    startAt: '2026-03-01T12:00:00Z',
    sync: {},
    dependencies: {
      rateLimit: tokenBuckets(clock, PER_ADDRESS),
      credentialRateLimit: tokenBuckets(clock, PER_CREDENTIAL),
      peerAddress: (c) => c.req.header('X-Peer') ?? `192.0.2.${peer}`,
      gate,
      bodies,
    },
  })
  world = await createWorld(app, { instanceAuth: 'token', license: { seat_limit: null } })
})
afterAll(() => app.stop())

/** Everybody's next minute, at an address of one's own. */
const afresh = () => {
  peer += 1
  clock.advance(60_000)
}
const keys = () => app.call('GET', '/.well-known/jwks.json')
const exchange = (instance_id: string, apiKey = world.apiKey) =>
  app.call('POST', '/api/v1/licenses/token', { bearer: apiKey, body: { instance_id, version: '1' } })
const beat = (instance_id: string, bearer: string) =>
  app.call('POST', '/api/v1/instances/heartbeat', {
    bearer,
    body: { instance_id, product: 'keldris', reported_tier: 'pro', has_valid_entitlement: true, metrics: {} },
  })
const times = async (count: number, call: () => Promise<Answer>): Promise<Answer[]> => {
  const answers: Answer[] = []
  for (let i = 0; i < count; i += 1) answers.push(await call())
  return answers
}
const statuses = (answers: readonly Answer[]) => [...new Set(answers.map(({ status }) => status))]

describe('an address that asks without a credential', () => {
  test('is told its policy and what is left, in structured fields', async () => {
    afresh()
    const [first, second] = await times(2, keys)
    expect(first?.headers.get('RateLimit-Policy')).toBe(`"address";q=${PER_ADDRESS};w=60`)
    expect(first?.headers.get('RateLimit')).toBe(`"address";r=${PER_ADDRESS - 1};t=2`)
    expect(second?.headers.get('RateLimit')).toBe(`"address";r=${PER_ADDRESS - 2};t=3`)
  })

  test('is refused past its limit with the time to wait, and served again after it', async () => {
    afresh()
    expect(statuses(await times(PER_ADDRESS, keys))).toEqual([200])
    const refused = await keys()
    expect(refused).toMatchObject({ status: 429, body: { error: 'rate_limited', reason: 'address' } })
    expect(refused.headers.get('Retry-After')).toBe('2')
    expect(refused.headers.get('RateLimit')).toBe(`"address";r=0;t=60`)
    clock.advance(2_000)
    expect((await keys()).status).toBe(200)
    expect((await keys()).status).toBe(429)
  })

  test('that guesses credentials is refused like one that has none', async () => {
    afresh()
    const guess = () => exchange('g', `sk-${'x'.repeat(49)}`)
    expect(statuses(await times(PER_ADDRESS, guess))).toEqual([401])
    expect((await guess()).status).toBe(429)
  })

  test('does not use up what is another address’s', async () => {
    afresh()
    await times(PER_ADDRESS + 1, keys)
    peer += 1
    expect((await keys()).status).toBe(200)
  })
})

describe('a credential', () => {
  test('that is accepted pays for itself, and not for its address', async () => {
    afresh()
    const answers = await times(PER_ADDRESS + 5, () => exchange('paying'))
    expect(statuses(answers)).toEqual([200])
    expect(answers[0]?.headers.get('RateLimit-Policy')).toBe(
      `"address";q=${PER_ADDRESS};w=60, "credential";q=${PER_CREDENTIAL};w=60`,
    )
    expect(answers.at(-1)?.headers.get('RateLimit')).toBe(`"address";r=40;t=0, "credential";r=55;t=27`)
  })

  test('of a client gone wild is refused, and its neighbours are not', async () => {
    afresh()
    const other = await world.another({ seat_limit: null })
    await times(PER_CREDENTIAL, () => exchange('wild'))
    const refused = await exchange('wild')
    expect(refused).toMatchObject({ status: 429, body: { error: 'rate_limited', reason: 'credential' } })
    expect(refused.headers.get('Retry-After')).toBe('1')
    expect((await exchange('calm', other.apiKey)).status).toBe(200)
    expect((await app.admin('GET', '/products')).status).toBe(200)
  })

  test('that was accepted before is heard from an address that somebody floods', async () => {
    afresh()
    const { jwt, instance_token } = (await exchange('alive')).body
    expect((await beat('alive', instance_token)).status).toBe(200)
    expect((await beat('alive', jwt)).status).toBe(200)
    await times(PER_ADDRESS + 1, keys)
    expect((await keys()).status).toBe(429)
    expect((await beat('alive', instance_token)).status).toBe(200)
    expect((await beat('alive', jwt)).status).toBe(200)
    // A forged one was never accepted, and nothing but a sign of life passes.
    expect((await beat('alive', `${jwt.slice(0, -4)}AAAA`)).status).toBe(429)
    expect((await exchange('alive')).status).toBe(429)
  })

  test('that anybody gets by registering is heard no further than its address', async () => {
    afresh()
    const body = { instance_id: 'self', product: 'keldris' }
    const token = (await app.call('POST', '/api/v1/instances/register', { body })).body.instance_token
    const heard = await beat('self', token)
    expect(heard.status).toBe(200)
    expect(heard.headers.get('RateLimit')).toContain(`"address";r=${PER_ADDRESS - 2};`)
    await times(PER_ADDRESS, keys)
    expect((await beat('self', token)).status).toBe(429)
  })

  test('that was revoked since is let through once to hear so, and then waits like any other', async () => {
    afresh()
    const own = await world.another({ seat_limit: null })
    const { jwt } = (await exchange('gone', own.apiKey)).body
    expect((await beat('gone', jwt)).status).toBe(200)
    await app.admin('POST', `/api-keys/${own.apiKeyId}/revoke`, { end_sessions: true })
    await times(PER_ADDRESS + 1, keys)
    expect((await beat('gone', jwt)).status).toBe(401)
    expect((await beat('gone', jwt)).status).toBe(429)
  })
})

describe('a credential that nobody looked at', () => {
  const forged = `sk-${'x'.repeat(49)}`

  test.each([
    ['the live channel refuses a page', '/api/v1/sync', { Origin: 'https://page.example' }],
    ['the live channel is asked for without its protocol', '/api/v1/sync', {}],
    ['keys are read that are public', '/.well-known/jwks.json', {}],
    ['there is nothing at the path', '/api/v1/nowhere', {}],
  ])('pays for its address when %s', async (_, path, headers) => {
    afresh()
    const answer = await app.call('GET', path, { bearer: forged, headers })
    expect(answer.status).not.toBe(401)
    expect(answer.headers.get('RateLimit')).toContain(`"address";r=${PER_ADDRESS - 1}`)
  })

  test('is told from one that was accepted, whatever became of the request', async () => {
    afresh()
    const invalid = await app.admin('GET', '/products?limit=0')
    expect(invalid.status).toBe(422)
    expect(invalid.headers.get('RateLimit')).toContain(`"address";r=${PER_ADDRESS};`)
  })
})

describe('senders whose bodies do not come', () => {
  const slow: SlowSender[] = []
  const open = async (
    count: number,
    from: (i: number) => string,
    bearer?: string,
    { path = '/api/v1/instances/heartbeat', ...headers }: Record<string, string> = {},
  ) => {
    for (let i = 0; i < count; i += 1) {
      const Authorization = bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }
      slow.push(await slowSender(app.url, path, { 'X-Peer': from(i), ...Authorization, ...headers }))
    }
  }
  const TELEMETRY = '/api/v1/telemetry'
  const report = (bearer: string) =>
    app.call('POST', TELEMETRY, { bearer, body: { reports: [{ kind: 'heartbeat', seq: 1 }] } })
  const held = (count: number) => vi.waitFor(() => expect(bodies.underWay).toBe(count))
  afterEach(() => {
    for (const sender of slow.splice(0)) sender.close()
    return held(0)
  })

  test('hold no place in front of the database', async () => {
    afresh()
    const { instance_token } = (await exchange('prompt')).body
    await open(24, (i) => `198.51.100.${i}`)
    await held(24)
    expect(gate.running + gate.waiting).toBe(0)
    // Neither known nor proven: the slow ones are of its own class.
    expect((await beat('prompt', instance_token)).status).toBe(200)
    expect((await exchange('prompt')).status).toBe(200)
    expect(slow.filter((sender) => sender.isAnswered())).toEqual([])
  })

  test('of one address are bounded, then all of them, and none of it concerns who is known', async () => {
    afresh()
    const { instance_token } = (await exchange('known')).body
    expect((await beat('known', instance_token)).status).toBe(200)
    await open(BODIES.perSender + 1, () => '203.0.113.1')
    const own = await slow.at(-1)?.answer
    expect(own?.status).toBe(429)
    expect(own?.head).toMatch(/retry-after: 5\r\n/i)
    await open(BODIES.places - BODIES.perSender, (i) => `203.0.113.${i + 2}`)
    await held(BODIES.places)
    await open(1, () => '203.0.113.200')
    const last = await slow.at(-1)?.answer
    expect(last?.status).toBe(503)
    expect(last?.head).toMatch(/retry-after: 5\r\n/i)
    expect((await beat('known', instance_token)).status).toBe(200)
    expect(bodies.underWay).toBe(BODIES.places)
  })

  test('with tokens that anybody gets by registering are strangers, each at its address', async () => {
    afresh()
    const { instance_token } = (await exchange('licensed')).body
    expect((await beat('licensed', instance_token)).status).toBe(200)
    const tokens: string[] = []
    for (const name of ['self-1', 'self-2', 'self-3']) {
      const body = { instance_id: name, product: 'keldris' }
      const token = (await app.call('POST', '/api/v1/instances/register', { body })).body.instance_token
      expect((await beat(name, token)).status).toBe(200)
      tokens.push(token)
    }
    for (const token of tokens) await open(BODIES.perSender / 3, () => '203.0.113.210', token)
    await held(BODIES.perSender)
    await open(1, () => '203.0.113.210', tokens[0])
    expect((await slow.at(-1)?.answer)?.status).toBe(429)
    await open(BODIES.places - BODIES.perSender, (i) => `203.0.113.${i + 211}`, tokens[1])
    await held(BODIES.places)
    await open(1, () => '203.0.113.209', tokens[2])
    expect((await slow.at(-1)?.answer)?.status).toBe(503)
    expect((await beat('licensed', instance_token)).status).toBe(200)
  })

  test('of batches hold nothing that anybody else needs, of nobody known nor of a license', async () => {
    afresh()
    const { jwt } = (await exchange('batching')).body
    expect((await beat('batching', jwt)).status).toBe(200)
    const newcomer = await world.another({ seat_limit: null })
    const stranger = `lit_${'x'.repeat(49)}`
    await open(BATCHES.places / 2, (i) => `203.0.113.${i}`, stranger, { path: TELEMETRY })
    await open(1, () => '203.0.113.100', stranger, { path: TELEMETRY, 'Content-Length': '1048576' })
    await held(BATCHES.places)
    await open(1, () => '203.0.113.101', stranger, { path: TELEMETRY })
    expect((await slow.at(-1)?.answer)?.status).toBe(503)
    // One that this process has not met, one that it has, and an admin.
    expect((await exchange('first', newcomer.apiKey)).status).toBe(200)
    expect((await report(jwt)).status).toBe(200)
    await open(BATCHES.ofTheKnown, () => '203.0.113.102', jwt, { path: TELEMETRY })
    await held(BATCHES.places + BATCHES.ofTheKnown)
    expect((await report(jwt)).status).toBe(429)
    expect((await beat('batching', jwt)).status).toBe(200)
    const refresh = { bearer: jwt, body: { instance_id: 'batching', version: '1', telemetry: {} } }
    expect((await app.call('POST', '/api/v1/licenses/refresh', refresh)).status).toBe(200)
    expect((await app.admin('POST', '/customers', { name: 'Grace' })).status).toBe(201)
  })

  test('of batches count by the length that they announce, and fully without one', async () => {
    afresh()
    const stranger = `lit_${'x'.repeat(49)}`
    await open(1, () => '203.0.113.103', stranger, { path: TELEMETRY, 'Content-Length': '65537' })
    await held(2)
    const chunked = connect(Number(new URL(app.url).port), new URL(app.url).hostname)
    chunked.write(
      `POST ${TELEMETRY} HTTP/1.1\r\nHost: x\r\nX-Peer: 203.0.113.104\r\nAuthorization: Bearer ${stranger}\r\n` +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n',
    )
    await held(2 + 16)
    chunked.destroy()
    await held(2)
  })

  test('are told so when their time is over, and their connection is closed', async () => {
    afresh()
    await open(1, () => '203.0.113.201')
    const answer = await slow[0]?.answer
    expect(answer?.status).toBe(408)
    expect(answer?.head).toMatch(/connection: close\r\n/i)
    expect(answer?.head).toContain('body_too_slow')
    expect(bodies.underWay).toBe(0)
  })

  test('are not read at all where the admin API does not know their key', async () => {
    afresh()
    const sender = await slowSender(app.url, '/api/v1/admin/products', {
      Authorization: `Bearer lak_${'x'.repeat(49)}`,
    })
    slow.push(sender)
    expect((await sender.answer).status).toBe(401)
  })
})
