import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { transaction } from '../../src/db/transaction.ts'
import { recordChange } from '../../src/domain/kernel/record-change.ts'
import { newestEvent } from '../../src/domain/sync/read-events.ts'
import { mintCredential } from '../../src/platform/credentials.ts'
import { instanceKey, parsePublicId, publicId } from '../../src/platform/ids.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { listen as connect, refusedWith, type SyncClient, type SyncOptions } from '../support/sync-client.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let other: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp({ sync: { pollMs: 300 } })
  other = await startTestApp({ beside: app, sync: { pollMs: 300 } })
  world = await createWorld(app, { instanceAuth: 'token', license: { seat_limit: null } })
})
afterAll(async () => {
  await other.stop()
  await app.stop()
})

const clients: SyncClient[] = []
const listen = async (on: TestApp, options: SyncOptions) => {
  const client = await connect(on.url, options)
  clients.push(client)
  return client
}
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate()
})

interface Session {
  instance_id: string
  jwt: string
  token: string
  /** `ins_…` */
  id: string
}
let made = 0
const session = async (of: World = world): Promise<Session> => {
  made += 1
  const instance_id = `i-${made}`
  const { body } = await app.call('POST', '/api/v1/licenses/token', {
    bearer: of.apiKey,
    body: { instance_id, version: '1' },
  })
  const id = publicId('ins', instanceKey(of.product, instance_id))
  return { instance_id, jwt: body.jwt, token: body.instance_token, id }
}
const suspend = (id: string) => app.admin('POST', `/licenses/${id}/suspend`, {})
const reinstate = (id: string) => app.admin('POST', `/licenses/${id}/reinstate`, {})
const flip = async (id: string, times: number) => {
  for (let n = 0; n < times; n += 1) {
    const { status } = await (n % 2 === 0 ? suspend(id) : reinstate(id))
    expect(status).toBe(200)
  }
}
const numbers = (client: SyncClient) =>
  client.events().map((message) => ('event' in message ? (message.event ?? 0) : 0))

describe('who is let in', () => {
  test('a license JWT or an instance token, in the header or in the first message', async () => {
    const { jwt, token } = await session()
    for (const credential of [jwt, token]) {
      const byHeader = await listen(app, { bearer: credential })
      const byMessage = await listen(app, { hello: { token: credential } })
      for (const { messages } of [byHeader, byMessage]) {
        expect(messages[0]).toMatchObject({ type: 'welcome', ping_interval: 30 })
      }
    }
  })

  test.each([
    ['with a query', { path: '/api/v1/sync?token=x' }, 400],
    ['of a web page', { headers: { Origin: 'https://shop.example.com' } }, 403],
    ['with an unknown relay key', { bearer: mintCredential('relay_key').secret }, 401],
    ['with an API key', { bearer: mintCredential('api_key').secret }, 401],
    ['at another path', { path: '/api/v1/synch' }, 404],
  ] as const)('a handshake %s is refused', async (_, options, status) => {
    expect(await refusedWith(app.url, options)).toBe(status)
  })

  test('a plain request is told to upgrade', async () => {
    const { status, body } = await app.call('GET', '/api/v1/sync')
    expect([status, body.error]).toEqual([426, 'upgrade_required'])
  })

  test('a first message without a good credential ends the socket', async () => {
    for (const hello of [{}, { token: 'nonsense' }, { token: mintCredential('instance_token').secret }]) {
      const client = await listen(app, { hello })
      expect((await client.closed).code).toBe(4401)
    }
  })

  test('a stranger has 5 s and 4 KiB, and 20 sockets', async () => {
    const quiet = await listen(app, { hello: null })
    app.clock.advance(4_900)
    const loud = await listen(app, { hello: null })
    loud.say(JSON.stringify({ type: 'hello', token: 'x'.repeat(4_096) }))
    expect((await loud.closed).code).toBe(1009)
    const rude = await listen(app, { hello: null })
    rude.say('hello')
    expect((await rude.closed).code).toBe(4400)
    app.clock.advance(100)
    expect((await quiet.closed).code).toBe(4408)

    const crowd = await Promise.all(Array.from({ length: 20 }, () => listen(app, { hello: null })))
    expect(await refusedWith(app.url, {})).toBe(429)
    const { jwt } = await session()
    expect((await listen(app, { bearer: jwt })).messages).toHaveLength(1)
    crowd[0]?.say({ type: 'hello', token: jwt })
    await until(() => crowd[0]?.messages.length === 1)
    expect((await listen(app, { hello: null })).socket.readyState).toBe(1)
  })
})

describe('what is told', () => {
  test('each its own: licenses, actions and keys, through whichever process the change was made', async () => {
    const mine = await session()
    const theirs = await session(await world.another())
    const me = await listen(other, { bearer: mine.jwt })
    const they = await listen(app, { bearer: theirs.token })
    await suspend(world.licenseId)
    await reinstate(world.licenseId)
    await app.admin('POST', `/instances/${mine.id}/action`, { action: 'downgrade' })
    await other.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license', activate_in: 0 })
    expect(await me.told(4)).toEqual([
      { type: 'license.changed', event: expect.any(Number), license_id: world.licenseId },
      { type: 'license.changed', event: expect.any(Number), license_id: world.licenseId },
      { type: 'action.changed', event: expect.any(Number), instance: mine.id },
      { type: 'keys.changed', event: expect.any(Number), product: 'keldris' },
    ])
    expect(numbers(me)).toEqual(numbers(me).toSorted((a = 0, b = 0) => a - b))
    expect((await they.told(1)).map(({ type }) => type)).toEqual(['keys.changed'])
  })

  test('nothing of another product', async () => {
    const foreign = await createWorld(app, { product: 'another' })
    const { jwt } = await session(foreign)
    const client = await listen(app, { bearer: jwt })
    const mine = await listen(app, { bearer: (await session()).jwt })
    await flip(world.licenseId, 2)
    await app.admin('POST', '/signing-keys/rotate', { product: 'keldris', use: 'license', activate_in: 0 })
    await suspend(foreign.licenseId)
    await mine.told(3)
    expect(await client.told(1)).toMatchObject([{ type: 'license.changed', license_id: foreign.licenseId }])
  })

  test('a license that an instance took after it had connected', async () => {
    const { instance_id, token } = await session()
    const client = await listen(other, { bearer: token })
    const second = await world.another()
    const { status } = await app.call('POST', '/api/v1/licenses/token', {
      bearer: second.apiKey,
      body: { instance_id, version: '1', instance_token: token },
    })
    expect(status).toBe(200)
    await suspend(second.licenseId)
    expect(await client.told(1)).toMatchObject([{ type: 'license.changed', license_id: second.licenseId }])
  })

  test('500 changes from two processes at once reach every socket in order and once', async () => {
    const flood = await Promise.all(Array.from({ length: 10 }, () => world.another()))
    const of = await Promise.all(flood.map((license) => session(license)))
    const sockets = await Promise.all(
      of.map(({ jwt }, n) => listen(n % 2 === 0 ? app : other, { bearer: jwt })),
    )
    await Promise.all(
      flood.map(async ({ licenseId }, n) => {
        const { ctx } = n % 2 === 0 ? other : app
        const scope = { licenseId: parsePublicId('lic', licenseId) ?? '' }
        for (let turn = 0; turn < 10; turn += 1) {
          await transaction(ctx.db, async (tx) => {
            for (let change = 0; change < 5; change += 1) {
              const subject = `turn ${turn}, change ${change}`
              await recordChange(tx, ctx, {
                action: 'license.change',
                subject,
                event: 'license.changed',
                scope,
              })
            }
          })
        }
      }),
    )
    for (const [n, socket] of sockets.entries()) {
      await socket.told(50)
      expect(new Set(numbers(socket)).size).toBe(50)
      expect(numbers(socket)).toEqual(numbers(socket).toSorted((a = 0, b = 0) => a - b))
      expect(socket.events()).toMatchObject(
        Array.from({ length: 50 }, () => ({ license_id: flood[n]?.licenseId })),
      )
    }
  })

  test('a change whose notification was lost, because the listening connection died', async () => {
    const client = await listen(app, { bearer: (await session()).jwt })
    await query(
      app.databaseUrl,
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leasehold events'
       and datname = current_database()`,
    )
    await suspend(world.licenseId)
    await client.told(1)
    await reinstate(world.licenseId)
    await client.told(2)
  })
})

describe('a client that comes back', () => {
  test('is told what it missed, in order and once, also by another process', async () => {
    const { jwt } = await session()
    const first = await listen(app, { bearer: jwt })
    await flip(world.licenseId, 2)
    const [, last] = await first.told(2)
    await first.close()
    await flip(world.licenseId, 4)
    const last_event = (last && 'event' in last ? last.event : 0) ?? 0
    for (const [turn, process] of [app, other].entries()) {
      const missed = 4 + 2 * turn
      const again = await listen(process, { bearer: jwt, hello: { last_event } })
      await again.told(missed)
      await flip(world.licenseId, 2)
      await again.told(missed + 2)
      expect(new Set(numbers(again)).size).toBe(missed + 2)
      expect(Math.min(...numbers(again))).toBeGreaterThan(last_event)
      expect(again.events().every(({ type }) => type === 'license.changed')).toBe(true)
    }
  })

  test('at the newest number is told nothing', async () => {
    const { jwt } = await session()
    const { messages } = await listen(app, { bearer: jwt })
    const event = await newestEvent(app.services.db)
    const again = await listen(app, { bearer: jwt, hello: { last_event: event } })
    await flip(world.licenseId, 2)
    await again.told(2)
    expect(messages[0]).toMatchObject({ type: 'welcome', event })
    expect(again.events()).toHaveLength(2)
  })

  test('with a number that is not on record is told to resync, with the newest', async () => {
    const { jwt } = await session()
    const newest = await newestEvent(app.services.db)
    for (const last_event of [1, newest - 1_000_000, newest + 5]) {
      const client = await listen(app, { bearer: jwt, hello: { last_event } })
      expect(await client.told(1)).toEqual([{ type: 'resync_required', event: newest }])
    }
  })
})

describe('a socket ends', () => {
  test('at the exp of its license JWT', async () => {
    const { jwt } = await session()
    const client = await listen(app, { bearer: jwt })
    const { exp } = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
    app.clock.set(new Date(exp * 1000 - 1))
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    expect(client.socket.readyState).toBe(1)
    app.clock.set(new Date(exp * 1000))
    expect((await client.closed).code).toBe(4402)
  })

  test('within 2 s of a revoked credential, a reset token, an ended seat', async () => {
    const license = await world.another()
    const byKey = await listen(app, { bearer: (await session(license)).jwt })
    const token = await session(license)
    const byToken = await listen(other, { bearer: token.token })
    const seat = await session(license)
    const bySeat = await listen(app, { bearer: seat.jwt })
    const began = performance.now()
    await other.admin('POST', `/instances/${token.id}/reset-token`)
    expect((await byToken.closed).code).toBe(4403)
    await other.admin('DELETE', `/instances/${seat.id}/seats/${license.licenseId}`)
    expect((await bySeat.closed).code).toBe(4403)
    expect(byKey.socket.readyState).toBe(1)
    await other.admin('POST', `/api-keys/${license.apiKeyId}/revoke`, { end_sessions: true })
    expect((await byKey.closed).code).toBe(4403)
    expect(performance.now() - began).toBeLessThan(2_000)
  })

  test('when it says far too much, or hello twice', async () => {
    const { jwt } = await session()
    const twice = await listen(app, { bearer: jwt })
    twice.say({ type: 'hello' })
    expect((await twice.closed).code).toBe(4400)
    const loud = await listen(app, { bearer: jwt })
    loud.say({ type: 'ping' })
    await until(() => loud.messages.some(({ type }) => type === 'pong'))
    for (let n = 0; n < 100; n += 1) loud.say({ type: 'ping' })
    expect((await loud.closed).code).toBe(4400)
  })

  test('when it is silent for two and a half pings, and not when it answers them', async () => {
    const { token } = await session()
    const silent = await listen(app, { bearer: token })
    const lively = await listen(app, { bearer: token })
    lively.socket.on('message', () => lively.say({ type: 'pong' }))
    for (const due of [1, 2]) {
      app.clock.advance(30_000)
      await until(() => lively.messages.filter(({ type }) => type === 'ping').length >= due)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    app.clock.advance(15_000)
    expect((await silent.closed).code).toBe(4409)
    expect(lively.socket.readyState).toBe(1)
  })

  test('when it does not read what it is told, and others are not held up', async () => {
    const license = await world.another()
    const [slow, quick] = [await session(license), await session(license)]
    const stuck = await listen(app, { bearer: slow.jwt })
    const reader = await listen(app, { bearer: quick.jwt })
    stuck.socket.pause()
    await app.services.db.execute(sql`
      insert into events (number, at, type, license_id, subject)
      select (select max(number) from events) + n, now(), 'license.changed',
        ${parsePublicId('lic', license.licenseId)}::uuid, 'one of many'
      from generate_series(1, 50000) n`)
    // More than the kernel's buffers hold. By then the server has given up on the other one.
    await until(() => reader.messages.length > 50_000, 15_000)
    app.clock.advance(2_000)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    stuck.socket.resume()
    expect([1006, 4429]).toContain((await stuck.closed).code)
    expect(stuck.messages.length).toBeLessThan(50_000)
    expect(reader.socket.readyState).toBe(1)
  })
})

test('what a failing database kept from being given out is given out once it answers', async () => {
  const own = await world.another()
  const client = await listen(other, { bearer: (await session(own)).token })
  const scope = { licenseId: parsePublicId('lic', own.licenseId) ?? '' }
  await query(app.databaseUrl, 'alter table activations rename to hidden')
  try {
    await transaction(app.ctx.db, (tx) =>
      recordChange(tx, app.ctx, { action: 'license.change', subject: 'x', event: 'license.changed', scope }),
    )
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(client.events()).toEqual([])
  } finally {
    await query(app.databaseUrl, 'alter table hidden rename to activations')
  }
  expect(await client.told(1)).toMatchObject([{ type: 'license.changed', license_id: own.licenseId }])
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(client.events()).toHaveLength(1)
})

test('a database that was restored makes everybody ask anew', async () => {
  const client = await listen(other, { bearer: (await session()).token })
  await query(app.databaseUrl, 'delete from events where number > (select min(number) from events) + 1')
  expect(await client.told(1)).toMatchObject([{ type: 'resync_required' }])
})

test('a stopping process sends its clients elsewhere', async () => {
  const leaving = await startTestApp({ beside: app, sync: {} })
  const client = await listen(leaving, { bearer: (await session()).token })
  const [{ code }] = await Promise.all([client.closed, leaving.stop()])
  expect(code).toBe(1001)
})

test('answers name the channel where the server has one', async () => {
  const offering = await startTestApp({
    beside: app,
    settings: { syncUrl: 'wss://license.example.com/api/v1/sync' },
  })
  const { body } = await offering.call('POST', '/api/v1/licenses/token', {
    bearer: world.apiKey,
    body: { instance_id: 'told', version: '1' },
  })
  expect(body.config.sync).toBe('wss://license.example.com/api/v1/sync')
  const activated = await offering.call('POST', '/api/v1/licenses/activate', {
    bearer: body.instance_token,
    body: { license_key: world.licenseKey, instance_id: 'told', product: 'keldris' },
  })
  expect(activated.body.config.sync).toBe('wss://license.example.com/api/v1/sync')
  const here = await app.call('POST', '/api/v1/licenses/refresh', {
    bearer: body.jwt,
    body: { instance_id: 'told', version: '1' },
  })
  expect(here.body.config).not.toHaveProperty('sync')
  await offering.stop()
})
