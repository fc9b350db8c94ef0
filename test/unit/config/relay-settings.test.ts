import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadRelaySettings } from '../../../src/config/relay-settings.ts'
import { unsafePlaces } from '../../../src/relay/places.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

test('the defaults are those of the license cache', () => {
  expect(loadRelaySettings({}, 'https://license.example.com')).toMatchObject({
    upstream: 'https://license.example.com',
    cacheTtl: 1_800_000,
    staleGrace: 7_200_000,
    syncInterval: 900_000,
    syncRetries: 3,
    retryDelay: 5000,
    syncTimeout: 10_000,
    cleanupInterval: 3_600_000,
    failedMaxAge: 86_400_000,
    cache: true,
    backgroundSync: true,
    cleanup: true,
    internalKey: null,
  })
})

function refusalOf(env: Record<string, string>): string {
  try {
    loadRelaySettings(env, undefined, unsafePlaces)
  } catch (error) {
    return String(error)
  }
  throw new Error('it was taken')
}

test('every wrong and unsafe setting is listed at once, and no secret is repeated', async () => {
  const folder = join(await temporaryFolder('leasehold-test-unsafe-'), 'relay')
  mkdirSync(folder)
  chmodSync(folder, 0o755)
  writeFileSync(join(folder, 'relay-key.json'), '{}', { mode: 0o644 })
  symlinkSync('/etc/hostname', join(folder, 'enrolment.json'))
  const license = join(folder, '..', 'development.json')
  writeFileSync(license, '{}')
  chmodSync(license, 0o666)
  const env = {
    LEASEHOLD_UPSTREAM: 'http://license.example.com',
    LEASEHOLD_ROOT_KEYS: 'abc',
    LEASEHOLD_RELAY_KEY: 'sk-wrong-kind-of-key',
    SECRET_INTERNAL_API_KEY: 'hunter2',
    LICENSE_CACHE_TTL: '30m',
    LEASEHOLD_RELAY_FOLDER: '/tmp',
    HOST: '0.0.0.0',
    LEASEHOLD_RELAY_DIR: folder,
    LEASEHOLD_DEVELOPMENT_LICENSE: license,
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  }
  const said = refusalOf({ ...env, NODE_ENV: 'production' })
  for (const name of Object.keys(env)) expect(said).toContain(`${name}: `)
  for (const file of ['relay-key.json', 'enrolment.json']) expect(said).toContain(join(folder, file))
  expect(said).toContain('13 settings are wrong')
  expect(said).not.toMatch(/hunter2|sk-wrong/)
})

test.each([
  ['for all interfaces', { HOST: '0.0.0.0' }, 'HOST'],
  ['for one of the site', { HOST: '10.0.0.5' }, 'HOST'],
  ['by name', { HOST: 'relay.plant.example' }, 'HOST'],
  ['behind a proxy without TLS', { PUBLIC_URL: 'http://relay.plant.example' }, 'PUBLIC_URL'],
])('plain http %s is refused, and taken when it is allowed in so many words', (_where, env, name) => {
  expect(refusalOf(env)).toContain(`A setting is wrong:\n  ${name}: `)
  const allowed = loadRelaySettings({ ...env, LEASEHOLD_ALLOW_INSECURE_HTTP: 'true' })
  expect(allowed.plainHttp).toBe(true)
})

test.each([
  ['loopback', {}],
  ['TLS before it', { HOST: '0.0.0.0', PUBLIC_URL: 'https://relay.plant.example' }],
  ['IPv6 loopback', { HOST: '::1' }],
])('%s needs no leave', (_name, env) => {
  expect(loadRelaySettings(env).plainHttp).toBe(false)
})

test.each([
  ['too short', 'Zk3-9qLw'],
  ['a character repeated', 'abcabcabcabcabcabcabcabcabcabc'],
  ['a relay key', 'lrk_0123456789abcdefghijklmnop'],
  ['an admin key', 'lak_0123456789abcdefghijklmnop'],
])('an internal key that is %s is refused', (_what, key) => {
  const said = refusalOf({ SECRET_INTERNAL_API_KEY: key })
  expect(said).toContain('SECRET_INTERNAL_API_KEY: the value')
  expect(said).not.toContain(key)
})

test('a development license is not for production', () => {
  const env = { LEASEHOLD_DEVELOPMENT_LICENSE: 'development.json' }
  expect(loadRelaySettings(env).developmentLicense).toBe('development.json')
  expect(refusalOf({ ...env, NODE_ENV: 'production' })).toContain('LEASEHOLD_DEVELOPMENT_LICENSE: ')
})

test.each(['http://127.0.0.1:8081', 'http://localhost:8081', 'http://[::1]:8081', 'https://10.0.0.1'])(
  '%s is a safe upstream',
  (upstream) => {
    expect(loadRelaySettings({}, upstream).upstream).toBe(upstream)
  },
)
