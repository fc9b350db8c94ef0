import { describe, expect, test } from 'vitest'
import { mintCredential } from '../../../src/platform/credentials.ts'
import { redact, redactText } from '../../../src/platform/redact.ts'

const JWT = 'eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovL3gifQ.c2lnbmF0dXJl'
const LICENSE_KEY = 'eyJwcm9kdWN0Ijoia2VsZHJpcyJ9.c2lnbmF0dXJl'
const ENVELOPE = 'eyJleHAiOjE3NjcyMjU2MDB9.c2ln+/bmF0dXJlcw=='

describe('fields named like a secret', () => {
  test.each([
    'authorization',
    'Authorization',
    'proxy-authorization',
    'token',
    'refresh_token',
    'feature_refresh_token',
    'instance_token',
    'instanceToken',
    'entitlement_token',
    'entitlement_token_hash',
    'api_key',
    'apiKey',
    'x-internal-api-key',
    'license_key',
    'LEASEHOLD_MASTER_KEY',
    'LEASEHOLD_ROOT_KEY',
    'admin_key',
    'relay_key',
    'jwt',
    'secret',
    'client_secret',
    'password',
    'private_key',
    'privateKeyPem',
    'set-cookie',
    'pepper',
    'DATABASE_URL',
  ])('%s never shows its value, at any depth', (name) => {
    const value = { [name]: 'hidden', list: [{ inner: { [name]: ['hidden'] } }], [`${name}s`]: 4242 }
    const line = JSON.stringify(redact(value))
    expect(line).not.toContain('hidden')
    expect(line).not.toContain('4242')
    expect(line).toContain('[redacted]')
  })

  test('say whether there is a value', () => {
    expect(redact({ token: null, has_token: true, jwt: undefined })).toEqual({ token: null, has_token: true })
  })

  test('ids, prefixes and kinds of credentials are not secrets', () => {
    const fields = {
      api_key_id: 'key_1',
      apiKeyId: 'key_1',
      api_key_prefix: 'sk-1a2b3c4d',
      token_kind: 'jwt',
    }
    expect(redact(fields)).toEqual(fields)
    expect(redact({ api_key_id: mintCredential('api_key').secret })).toEqual({ api_key_id: '[redacted]' })
  })
})

describe('text that has the form of a secret', () => {
  test.each([
    ['an API key', mintCredential('api_key').secret],
    ['an instance token', mintCredential('instance_token').secret],
    ['a relay key', mintCredential('relay_key').secret],
    ['an admin key', mintCredential('admin_key').secret],
    ['a JWT', JWT],
    ['a license key', LICENSE_KEY],
    ['an envelope', ENVELOPE],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----'],
  ])('%s never appears, wherever it stands', (_, secret) => {
    const places = { note: `got ${secret}.`, list: [secret], [secret]: 1, cause: new Error(`bad ${secret}`) }
    const line = JSON.stringify(
      redact({ ...places, map: new Map([[secret, secret]]), set: new Set([secret]) }),
    )
    for (const part of secret
      .split(/[.\n]/)
      .filter((piece) => piece.length > 8 && !piece.startsWith('-----'))) {
      expect(line).not.toContain(part)
    }
  })

  test('the password of a URL is left out, its host stays', () => {
    const safe = redactText('postgres://leasehold:hunter2@db.example:5432/leasehold refused')
    expect(safe).toBe('postgres://[redacted]@db.example:5432/leasehold refused')
  })

  test('a Bearer header inside other text is left out', () => {
    expect(redactText('authorization: Bearer abc.def')).toBe('authorization: Bearer [redacted]')
  })

  test('harmless text stays as it is', () => {
    const text = 'GET /api/v1/licenses/{id} of lic_019b76daa800700080000123456789ab took 3 ms (sk-1a2b3c4d)'
    expect(redactText(text)).toBe(text)
  })
})

describe('errors', () => {
  test('keep type, message, code, constraint, stack and cause', () => {
    const cause = Object.assign(new Error('duplicate key value'), {
      code: '23505',
      constraint_name: 'licenses_pk',
    })
    const { err } = redact({ err: new TypeError('no license', { cause }) }) as {
      err: Record<string, unknown>
    }
    expect(err).toMatchObject({
      type: 'TypeError',
      message: 'no license',
      cause: { message: 'duplicate key value', code: '23505', constraint: 'licenses_pk' },
    })
    expect(err.stack).toMatch(/^at .*redact\.test\.ts/)
  })

  test('of a query show neither SQL nor parameters nor row values', () => {
    const driver = Object.assign(new Error('duplicate key'), {
      detail: 'Key (email)=(a@b.example)',
      code: '23505',
    })
    const message = 'Failed query: insert into customers values ($1)\nparams: a@b.example'
    const error = Object.assign(new Error(message, { cause: driver }), {
      query: 'insert into customers values ($1)',
      params: ['a@b.example'],
    })
    const line = JSON.stringify(redact({ error }))
    expect(line).not.toContain('b.example')
    expect(line).not.toContain('insert into')
    expect(line).toContain('duplicate key')
  })

  test('that hold several show each', () => {
    const both = new AggregateError([new Error('first'), new Error('second')], 'two')
    expect(JSON.stringify(redact({ both }))).toMatch(/first.*second/)
  })
})

describe('odd values', () => {
  test('cycles, depth, bytes, bad dates and big numbers make a line all the same', () => {
    const cycle: Record<string, unknown> = { name: 'cycle' }
    cycle.self = cycle
    let deep: object = { bottom: true }
    for (let i = 0; i < 100; i++) deep = { deep }
    const safe = redact({
      cycle,
      deep,
      bytes: new Uint8Array(32).fill(65),
      date: new Date('2026-01-01T00:00:00Z'),
      bad: new Date(Number.NaN),
      big: 12n,
      nan: Number.NaN,
      url: new URL('https://user:word@x.example/'),
      fn: () => 1,
    })
    expect(JSON.parse(JSON.stringify(safe))).toMatchObject({
      cycle: { name: 'cycle', self: '[circular]' },
      bytes: '[32 bytes]',
      date: '2026-01-01T00:00:00.000Z',
      bad: 'invalid date',
      big: '12',
      nan: 'NaN',
      url: 'https://[redacted]@x.example/',
    })
    expect(JSON.stringify(safe)).toContain('[too deep]')
    expect(safe).not.toHaveProperty('fn')
  })

  test('the same object twice side by side is no cycle', () => {
    const shared = { a: 1 }
    expect(redact({ x: shared, y: shared })).toEqual({ x: { a: 1 }, y: { a: 1 } })
  })

  test('the given fields are not changed', () => {
    const fields = { token: 'kept', inner: { jwt: 'kept' } }
    redact(fields)
    expect(fields).toEqual({ token: 'kept', inner: { jwt: 'kept' } })
  })
})
