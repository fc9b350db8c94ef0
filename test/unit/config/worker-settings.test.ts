import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { loadWorkerSettings } from '../../../src/config/worker-settings.ts'

const connectionString = 'postgres://user:sekrit@hyperdrive.local/leasehold'
const root = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' })
const bindings = {
  HYPERDRIVE: { connectionString },
  PUBLIC_URL: 'https://license.example.com',
  LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64'),
  LEASEHOLD_ROOT_KEY: root.toString('base64'),
}

describe('the settings of a Worker', () => {
  test('come from its variables and secrets; the database from Hyperdrive, whatever DATABASE_URL says', () => {
    const settings = loadWorkerSettings({ ...bindings, DATABASE_URL: 'postgres://other/db', QUEUE: {} })
    expect(settings).toMatchObject({
      databaseUrl: connectionString,
      publicUrl: 'https://license.example.com',
      issuer: 'https://license.example.com',
      demo: false,
    })
    expect(settings.masterKey).toHaveLength(32)
    expect(settings.rootKey.kind).toBe('private')
  })

  test('may name the public root key alone', () => {
    const LEASEHOLD_ROOT_KEY = `public:${'ab'.repeat(32)}`
    expect(loadWorkerSettings({ ...bindings, LEASEHOLD_ROOT_KEY }).rootKey.kind).toBe('public')
  })

  test('are refused all at once when nothing is bound', () => {
    const names = ['HYPERDRIVE', 'PUBLIC_URL', 'LEASEHOLD_MASTER_KEY', 'LEASEHOLD_ROOT_KEY']
    for (const name of names) expect(() => loadWorkerSettings({})).toThrow(`${name}: is`)
  })

  test.each([
    ['HYPERDRIVE', 'postgres://text/is-no-binding'],
    ['HYPERDRIVE', {}],
    ['LEASEHOLD_ROOT_KEY', 'file:/etc/root.pem'],
    ['LEASEHOLD_DEMO', 'true'],
    ['LEASEHOLD_TRUSTED_PROXIES', '10.0.0.0/8'],
    ['LEASEHOLD_TOKEN_LIFE', 'forever'],
    ['LEASEHOLD_TOKENS_LIFE', '1h'],
  ])('are refused with %s = %j, by name and without a secret', (name, value) => {
    const load = () => loadWorkerSettings({ ...bindings, [name]: value })
    expect(load).toThrow(`A setting is wrong:\n  ${name}: `)
    expect(load).not.toThrow('sekrit')
  })
})
