import { expect, test } from 'vitest'
import { loadRelaySettings } from '../../../src/config/relay-settings.ts'

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

test('every wrong and unsafe setting is listed at once, and no secret is repeated', () => {
  const env = {
    LEASEHOLD_UPSTREAM: 'http://license.example.com',
    LEASEHOLD_ROOT_KEYS: 'abc',
    LEASEHOLD_RELAY_KEY: 'sk-wrong-kind-of-key',
    SECRET_INTERNAL_API_KEY: 'hunter2',
    LICENSE_CACHE_TTL: '30m',
    LEASEHOLD_RELAY_FOLDER: '/tmp',
  }
  let said = ''
  try {
    loadRelaySettings(env)
  } catch (error) {
    said = String(error)
  }
  for (const name of Object.keys(env)) expect(said).toContain(`${name}:`)
  expect(said).toContain('6 settings are wrong')
  expect(said).not.toMatch(/hunter2|sk-wrong/)
})

test.each(['http://127.0.0.1:8081', 'http://localhost:8081', 'http://[::1]:8081', 'https://10.0.0.1'])(
  '%s is a safe upstream',
  (upstream) => {
    expect(loadRelaySettings({}, upstream).upstream).toBe(upstream)
  },
)
