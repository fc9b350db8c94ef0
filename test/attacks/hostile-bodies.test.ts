// Hostile bodies, ids and queries against every route that the server's own document names.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLicenseKey } from '../../src/domain/instance-api/proof/find-license-key.ts'
import { keyringCache } from '../../src/domain/signing/keyring.ts'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'
import { countingDatabase } from '../support/counting-database.ts'
import { createWorld, type World } from '../support/world.ts'
import { placesIn, type Route, routesOf, withValue } from './document.ts'

/** What some lists do not go without. */
const QUERY: Record<string, string> = { product: 'keldris', metric: 'agent_count', bucket: 'hour' }
const UUID = '019b76da-a800-7000-8000-0123456789ab'
const HANGS_AFTER_MS = 15_000
const BAD_KEYS = 1000
let app: TestApp
let world: World
let routes: Route[]
let jwt: string

beforeAll(async () => {
  app = await startTestApp({
    dependencies: { metricsText: async () => ({ text: '', contentType: 'text/plain' }) },
  })
  world = await createWorld(app, { license: { seat_limit: null } })
  const answer = await app.call('POST', '/api/v1/licenses/token', {
    bearer: world.apiKey,
    body: { instance_id: 'i', version: '1' },
  })
  jwt = answer.body.jwt
  routes = await routesOf(app)
})
afterAll(() => app.stop())

/** A good credential where the route has one, so that the body is looked at. */
const bearerFor = (path: string): string => {
  if (path.includes('/admin/')) return app.adminKey
  return path.endsWith('/token') ? world.apiKey : jwt
}

async function send(route: Route, body: string | undefined, id = 'x', search = ''): Promise<Answer> {
  const path = route.path.replaceAll(/\{[^}]+\}/g, () => id)
  const response = await fetch(`${app.url}${path}${search}`, {
    method: route.method,
    redirect: 'manual',
    signal: AbortSignal.timeout(HANGS_AFTER_MS),
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      Authorization: `Bearer ${bearerFor(route.path)}`,
    },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: undefined }
}

/** SQL, stacks, paths, the driver's and the schema's own names. */
const INSIDES =
  /\b(select "|select \*|insert into "|delete from "|update ").{0,80}\b(from|set|values|where)\b|\n\s+at |node_modules|\/src\/|\.ts:\d|PostgresError|DrizzleQueryError|Failed query|SQLSTATE|22P0\d|22021|invalid input syntax|activations_|report_streams|ZodError/i

function expectDecent(route: Route, sent: unknown, answer: Answer): void {
  const where = `${route.method} ${route.path} ${JSON.stringify(sent)?.slice(0, 300)}`
  expect([where, answer.status < 500]).toEqual([where, true])
  expect([where, INSIDES.exec(answer.text)?.[0]]).toEqual([where, undefined])
}

const VALUES: readonly unknown[] = [
  'a\u0000b',
  '\u0000',
  'a\ud800',
  '\udfff',
  '',
  'x'.repeat(10_000),
  "'; drop table licenses; --",
  '\u202e\ufeff\u200b',
  '9'.repeat(400),
  null,
  true,
  -1,
  1.5,
  Number.MAX_SAFE_INTEGER + 2,
  1e308,
  [],
  {},
  [[[]]],
  ['\u0000'],
  { $gt: '' },
  { toString: 1, constructor: { prototype: { admin: true } } },
]
const hostile = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.double(),
  fc.dictionary(fc.string({ unit: 'binary', maxLength: 8 }), fc.jsonValue(), { maxKeys: 4 }),
)

/** Whole texts that JSON.stringify would not write. */
const TEXTS: readonly string[] = [
  '',
  '{',
  'null',
  '[]',
  '"text"',
  '1e400',
  '{"a":1e400}',
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
  '{"__proto__":{"role":"owner"},"constructor":{"prototype":{"role":"owner"}}}',
  '{"instance_id":"a","instance_id":"b","product":"keldris","product":"other"}',
  '\ufeff{}',
]

describe('every route of the document', () => {
  test('is among those that are attacked', () => {
    expect(routes.filter(({ hasBody }) => hasBody).length).toBeGreaterThan(20)
    expect(routes.length).toBeGreaterThan(45)
  })

  test('takes any value in any place of its body without a fault', async () => {
    await Promise.all(
      routes
        .filter(({ hasBody }) => hasBody)
        .map(async (route) => {
          const places = placesIn(route.body)
          await fc.assert(
            fc.asyncProperty(fc.constantFrom(...places), hostile, async (place, value) => {
              const body = JSON.stringify(withValue(route.body, place, value))
              expectDecent(route, body, await send(route, body ?? 'null'))
            }),
            { numRuns: 15 },
          )
        }),
    )
  }, 60_000)

  test('refuses U+0000 and lone surrogates in every text', async () => {
    for (const route of routes.filter(({ hasBody }) => hasBody)) {
      const texts = placesIn(route.body).filter((place) => place.length > 0)
      for (const place of texts.slice(0, 4)) {
        for (const value of ['a\u0000b', '"\\ud800"']) {
          const body = JSON.stringify(withValue(route.body, place, value)).replace(
            '"\\"\\\\ud800\\""',
            '"\\ud800"',
          )
          const answer = await send(route, body)
          expect([route.path, place, answer.status]).toEqual([route.path, place, 422])
        }
      }
    }
  }, 60_000)

  test('takes any text for a body without a fault, and never as good', async () => {
    await Promise.all(
      routes
        .filter(({ hasBody }) => hasBody)
        .map(async (route) => {
          for (const text of TEXTS) expectDecent(route, text, await send(route, text))
        }),
    )
  }, 60_000)

  test('takes any id and any query without a fault', async () => {
    const ids = [
      '%00',
      '%ED%A0%80',
      '..%2F..%2Fetc%2Fpasswd',
      "'--",
      'lic_00000000-0000-7000-8000-000000000000',
      'x'.repeat(3000),
    ]
    const values = [
      '%00',
      '%ED%A0%80',
      "';--",
      '-1',
      '1e400',
      '9'.repeat(300),
      '',
      '%E2%80%AE',
      '[]',
      '2026-13-45',
      '__proto__',
    ]
    await Promise.all(
      routes.map(async (route) => {
        const body = route.hasBody ? JSON.stringify(route.body) : undefined
        if (route.path.includes('{')) {
          for (const id of ids) expectDecent(route, id, await send(route, body, id))
        }
        if (route.method !== 'GET') return
        const names = route.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name)
        for (const name of [...names, 'unknown'].slice(0, 12)) {
          for (const value of values.slice(0, names.length > 4 ? 5 : undefined)) {
            expectDecent(route, `${name}=${value}`, await send(route, undefined, 'x', `?${name}=${value}`))
          }
        }
      }),
    )
  }, 60_000)

  test('that is a list takes any cursor without a fault, and refuses what none of its pages ended with', async () => {
    const part = fc.oneof(
      fc.constantFrom('-1', '0', '1e3', 'NaN', '253402300800000', '999999999999999', '9'.repeat(40), ''),
      fc.bigInt({ min: 0n, max: 10n ** 16n }).map(String),
      fc.uuid(),
      fc.string({ maxLength: 12 }),
      fc.constantFrom('\u0000', '\ud800', '2026-13-45', "' or true --", null, 1e300, {}),
    )
    const cursors = fc.oneof(
      fc
        .array(part, { maxLength: 3 })
        .map((parts) => Buffer.from(JSON.stringify(parts)).toString('base64url')),
      fc.string({ minLength: 1, maxLength: 40 }),
    )
    const always = [['9'.repeat(15), 'k'], ['9'.repeat(15), UUID], ['253402300800000', UUID], [UUID]]
    const lists = routes.filter(({ parameters }) => parameters.some(({ name }) => name === 'after'))
    expect(lists.length).toBeGreaterThan(12)
    await Promise.all(
      lists.map(async (route) => {
        const required = route.parameters.filter(({ name, schema }) => name in QUERY && schema)
        const rest = required.map(({ name }) => `${name}=${QUERY[name]}&`).join('')
        const id = route.path.includes('/licenses/{id}') ? world.licenseId : 'x'
        const seen = new Set<number>()
        const ask = async (cursor: string) => {
          const search = `?${rest}after=${encodeURIComponent(cursor)}`
          const answer = await send(route, undefined, id, search)
          expectDecent(route, search, answer)
          expect([route.path, search, [200, 401, 422].includes(answer.status), answer.text]).toEqual([
            route.path,
            search,
            true,
            answer.text,
          ])
          seen.add(answer.status)
        }
        for (const parts of always) await ask(Buffer.from(JSON.stringify(parts)).toString('base64url'))
        await fc.assert(fc.asyncProperty(cursors, ask), { numRuns: 20 })
        // 401: a relay's own list.
        expect([route.path, seen.has(422) || seen.has(401)]).toEqual([route.path, true])
      }),
    )
  }, 60_000)

  test('would be found out, did it tell of the inside', () => {
    const said = 'Failed query: select "id" from "licenses" where "id" = $1'
    expect(INSIDES.test(said)).toBe(true)
    expect(INSIDES.test('Error: x\n    at verb (/srv/src/domain/x.ts:1:1)')).toBe(true)
    expect(INSIDES.test('{"detail":"Select a tier from the list, and update what was set."}')).toBe(false)
  })
})

test('a thousand license keys with bad signatures cause not one query', async () => {
  const counting = countingDatabase(app.databaseUrl, 2)
  try {
    app.clock.advance(60_000)
    const keyring = keyringCache(counting.db, app.services.masterKey, app.clock)
    const ctx = { ...app.ctx, db: counting.db, keyring }
    const [payload = '', signature = ''] = world.licenseKey.split('.')
    await findLicenseKey(ctx, 'keldris', world.licenseKey)
    expect(counting.statements.length).toBeGreaterThan(0)
    counting.statements.length = 0
    for (let i = 0; i < BAD_KEYS; i += 1) {
      const bytes = Buffer.from(signature, 'base64url')
      bytes.writeUInt32LE((bytes.readUInt32LE(i % 32) ^ (i + 1)) >>> 0, i % 32)
      const key = `${payload}.${bytes.toString('base64url')}`
      await expect(findLicenseKey(ctx, 'keldris', key)).rejects.toMatchObject({ code: 'license_key_unknown' })
    }
    expect(counting.statements).toEqual([])
  } finally {
    await counting.close()
  }
})
