import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { SETTING_NAMES, settingsTable } from '../../../src/config/schema.ts'
import { type Environment, loadSettings } from '../../../src/config/settings.ts'
import { StartError } from '../../../src/platform/start-error.ts'

const MASTER_KEY = randomBytes(32).toString('base64')
const ROOT_KEY = generateKeyPairSync('ed25519')
  .privateKey.export({ format: 'der', type: 'pkcs8' })
  .toString('base64')
const OWN_DATABASE = {
  DATABASE_URL: 'postgres://leasehold:hunter2@db.example/leasehold',
  LEASEHOLD_MASTER_KEY: MASTER_KEY,
  LEASEHOLD_ROOT_KEY: ROOT_KEY,
}

/** The lines of the refusal, without the heading. */
function problems(env: Environment): string[] {
  try {
    loadSettings(env)
  } catch (error) {
    if (error instanceof StartError) return error.message.split('\n').slice(1)
    throw error
  }
  return []
}

describe('without any setting', () => {
  test('the server runs on this machine alone, with its own database and the demo catalog', () => {
    expect(loadSettings({})).toEqual({
      port: 8081,
      host: '127.0.0.1',
      databaseUrl: null,
      publicUrl: 'http://127.0.0.1:8081',
      issuer: 'http://127.0.0.1:8081',
      issuerGiven: false,
      masterKey: null,
      rootKey: null,
      dataDir: '.data',
      demo: true,
      trustedProxies: [],
      rateLimit: { perMinute: 6000 },
      credentialRateLimit: { perMinute: 12_000 },
      actionBudget: { perKey: 20, inAll: 100 },
      tokenLifeSeconds: 86_400,
      entitlementLifeSeconds: 86_400,
      offlineLeaseSeconds: 31_622_400,
      staleAfterSeconds: 172_800,
      retentionReportsSeconds: 7_776_000,
      retentionAuditSeconds: 63_072_000,
      retentionEventsSeconds: 7_776_000,
      retentionTelemetryHourlySeconds: 7_776_000,
      retentionTelemetryDailySeconds: 63_072_000,
      shutdownGraceSeconds: 0,
      poolSize: 10,
      places: 512,
      processes: 1,
      logLevel: 'info',
    })
  })

  test('an empty or blank value counts as none, as compose files write it', () => {
    const blank = Object.fromEntries(SETTING_NAMES.map((name) => [name, name === 'PORT' ? '  ' : '']))
    expect(loadSettings(blank)).toEqual(loadSettings({}))
  })

  test('what the shell, npm and CI set is none of our business', () => {
    const env = { CI: 'true', npm_config_loglevel: 'warn', PATH: '/bin', LEASEHOLDER: 'x', NODE_ENV: 'test' }
    expect(loadSettings(env)).toEqual(loadSettings({}))
  })
})

describe('with every setting', () => {
  test('each value arrives, durations in seconds', () => {
    const settings = loadSettings({
      ...OWN_DATABASE,
      PORT: '9000',
      HOST: '0.0.0.0',
      PUBLIC_URL: 'https://License.Example/base/',
      LEASEHOLD_ISSUER: 'https://issuer.example/',
      LEASEHOLD_DATA_DIR: '/var/lib/leasehold',
      LEASEHOLD_DEMO: 'true',
      LEASEHOLD_TRUSTED_PROXIES: '10.0.0.0/8, 192.0.2.1,2001:db8::/32',
      LEASEHOLD_RATE_LIMITS: 'off',
      LEASEHOLD_ACTION_BUDGET: '5/9',
      LEASEHOLD_TOKEN_LIFE: '90s',
      LEASEHOLD_ENTITLEMENT_LIFE: '30m',
      LEASEHOLD_OFFLINE_LEASE: '30d',
      LEASEHOLD_STALE_AFTER: '12h',
      LEASEHOLD_RETENTION_REPORTS: '7d',
      LEASEHOLD_RETENTION_AUDIT: '8d',
      LEASEHOLD_RETENTION_EVENTS: '9d',
      LEASEHOLD_RETENTION_TELEMETRY_HOURLY: '10d',
      LEASEHOLD_RETENTION_TELEMETRY_DAILY: '11d',
      LEASEHOLD_SHUTDOWN_GRACE: '30s',
      LEASEHOLD_POOL_SIZE: '25',
      LEASEHOLD_PLACES: '64',
      LEASEHOLD_PROCESSES: '4',
      LOG_LEVEL: 'debug',
    })
    expect(settings).toMatchObject({
      port: 9000,
      host: '0.0.0.0',
      databaseUrl: OWN_DATABASE.DATABASE_URL,
      publicUrl: 'https://license.example/base',
      issuer: 'https://issuer.example/',
      issuerGiven: true,
      rootKey: { kind: 'private' },
      dataDir: '/var/lib/leasehold',
      demo: true,
      trustedProxies: [
        { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
        { address: '192.0.2.1', prefix: 32, family: 'ipv4' },
        { address: '2001:db8::', prefix: 32, family: 'ipv6' },
      ],
      rateLimit: null,
      credentialRateLimit: { perMinute: 12_000 },
      actionBudget: { perKey: 5, inAll: 9 },
      tokenLifeSeconds: 90,
      entitlementLifeSeconds: 1800,
      offlineLeaseSeconds: 2_592_000,
      staleAfterSeconds: 43_200,
      retentionReportsSeconds: 604_800,
      retentionAuditSeconds: 691_200,
      retentionEventsSeconds: 777_600,
      retentionTelemetryHourlySeconds: 864_000,
      retentionTelemetryDailySeconds: 950_400,
      shutdownGraceSeconds: 30,
      poolSize: 25,
      places: 64,
      processes: 4,
      logLevel: 'debug',
    })
    expect(Buffer.from(settings.masterKey ?? []).toString('base64')).toBe(MASTER_KEY)
  })

  test('nothing of them can be changed', () => {
    const settings = loadSettings({ ...OWN_DATABASE, LEASEHOLD_TRUSTED_PROXIES: '10.0.0.1' })
    expect(Object.isFrozen(settings)).toBe(true)
    expect(Object.isFrozen(settings.trustedProxies[0])).toBe(true)
  })
})

describe('what follows from other settings', () => {
  test.each([
    [{ PORT: '80', HOST: '192.0.2.7' }, 'http://192.0.2.7:80'],
    [{ HOST: '::1' }, 'http://[::1]:8081'],
    [{ HOST: '0.0.0.0' }, 'http://127.0.0.1:8081'],
    [{ HOST: '::' }, 'http://[::1]:8081'],
    [{ PUBLIC_URL: 'https://l.example' }, 'https://l.example'],
  ])('with %j the public URL and the issuer are %s', (env, url) => {
    expect(loadSettings(env)).toMatchObject({
      publicUrl: url,
      issuer: url,
      issuerGiven: 'PUBLIC_URL' in env,
    })
  })

  test('your own database gets no demo catalog unless asked for', () => {
    expect(loadSettings(OWN_DATABASE).demo).toBe(false)
    expect(loadSettings({ ...OWN_DATABASE, LEASEHOLD_DEMO: 'true' }).demo).toBe(true)
    expect(loadSettings({ LEASEHOLD_DEMO: 'false' }).demo).toBe(false)
  })

  test('a server on a shared database stops with a grace, since others answer in its place', () => {
    expect(loadSettings(OWN_DATABASE).shutdownGraceSeconds).toBe(5)
    expect(loadSettings({ ...OWN_DATABASE, LEASEHOLD_SHUTDOWN_GRACE: '0s' }).shutdownGraceSeconds).toBe(0)
    expect(loadSettings({ LEASEHOLD_SHUTDOWN_GRACE: '2s' }).shutdownGraceSeconds).toBe(2)
  })

  test('your own database needs both keys', () => {
    const lines = problems({ DATABASE_URL: OWN_DATABASE.DATABASE_URL })
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(
      /^ {2}LEASEHOLD_MASTER_KEY: is missing, and DATABASE_URL is set; allowed: 32 random bytes/,
    )
    expect(lines[1]).toMatch(
      /^ {2}LEASEHOLD_ROOT_KEY: is missing, and DATABASE_URL is set; allowed: an Ed25519/,
    )
  })

  test('a port chosen by the system needs the public URL', () => {
    expect(problems({ PORT: '0' })[0]).toContain('PUBLIC_URL: is missing, and PORT is 0')
    expect(loadSettings({ PORT: '0', PUBLIC_URL: 'http://localhost:1' }).port).toBe(0)
  })
})

describe('a wrong value stops the start', () => {
  test.each([
    ['PORT', '65536', '"65536" is above 65535'],
    ['PORT', '80a', '"80a" is not a whole number'],
    ['PORT', '-1', '"-1" is not a whole number'],
    ['HOST', 'a b', '"a b" is neither an IP address nor a host name'],
    ['HOST', '[::1]', '"[::1]" is neither'],
    ['PUBLIC_URL', 'license.example', 'is not an absolute URL'],
    ['PUBLIC_URL', 'ftp://license.example', 'is not an http or https URL'],
    ['PUBLIC_URL', 'https://x.example/?a=1', 'has a query or a fragment'],
    ['PUBLIC_URL', 'https://u:hunter2@x.example', 'the value holds a user name or password'],
    ['LEASEHOLD_ISSUER', 'two words', 'has white space'],
    ['LEASEHOLD_ISSUER', ':x', 'has a colon and is no URI'],
    ['LEASEHOLD_ISSUER', 'x'.repeat(257), 'the value is longer than 256 characters'],
    ['LEASEHOLD_DEMO', 'yes', '"yes" is neither true nor false'],
    ['LEASEHOLD_TRUSTED_PROXIES', '10.0.0.0/33', 'has a prefix length outside 0 to 32'],
    ['LEASEHOLD_TRUSTED_PROXIES', '10.0.0.1,,', 'has an entry that is no IP address or CIDR range'],
    ['LEASEHOLD_TRUSTED_PROXIES', 'proxy.example', 'has an entry that is no IP address'],
    ['LEASEHOLD_TRUSTED_PROXIES', 'fe80::1%eth0', 'has an entry that is no IP address'],
    ['LEASEHOLD_RATE_LIMITS', '100', '"100" is neither off nor a number a minute'],
    ['LEASEHOLD_ACTION_BUDGET', '20', '"20" is neither off nor two numbers an hour'],
    ['LEASEHOLD_ACTION_BUDGET', '20/0', '"20/0" is below 1'],
    ['LEASEHOLD_RATE_LIMITS', '0/min', '"0/min" is below 1'],
    ['LEASEHOLD_TOKEN_LIFE', '24', '"24" is not a duration'],
    ['LEASEHOLD_TOKEN_LIFE', '0s', '"0s" is below 1s'],
    ['LEASEHOLD_TOKEN_LIFE', '367d', '"367d" is above 366d'],
    ['LEASEHOLD_TOKEN_LIFE', '1h30m', '"1h30m" is not a duration'],
    ['LEASEHOLD_STALE_AFTER', '14m', '"14m" is below 15m'],
    ['LEASEHOLD_RETENTION_REPORTS', '23h', '"23h" is below 1d'],
    ['LEASEHOLD_POOL_SIZE', '0', '"0" is below 1'],
    ['LEASEHOLD_PLACES', '7', '"7" is below 8'],
    ['LEASEHOLD_PROCESSES', 'many', '"many" is not a whole number'],
    ['LEASEHOLD_PROCESSES', '65', '"65" is above 64'],
    ['LOG_LEVEL', 'verbose', '"verbose" is not one of debug, info, warn, error, silent'],
  ])('%s=%s', (name, value, wrong) => {
    const lines = problems({ [name]: value })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(`  ${name}: `)
    expect(lines[0]).toContain(wrong)
    expect(lines[0]).toMatch(/; allowed: .+/)
  })

  test('all problems are named at once: values, companions and unknown names', () => {
    const lines = problems({
      PORT: 'x',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://db.example/x',
      LEASEHOLD_MASTER_KEY: 'short',
      LEASEHOLD_TOKEN_LIVE: '1h',
    })
    expect(lines.map((line) => line.trim().split(':')[0])).toEqual([
      'PORT',
      'DATABASE_URL',
      'LEASEHOLD_MASTER_KEY',
      'LOG_LEVEL',
      'LEASEHOLD_ROOT_KEY',
      'LEASEHOLD_TOKEN_LIVE',
    ])
  })

  test.each([
    ['DATABASE_URL', 'mysql://root:hunter2-secret@db.example/x'],
    ['DATABASE_URL', 'hunter2-secret'],
    ['LEASEHOLD_MASTER_KEY', 'hunter2-secret'],
    ['LEASEHOLD_ROOT_KEY', 'hunter2-secret'],
    ['PUBLIC_URL', 'https://u:hunter2-secret@x.example'],
    ['LOG_LEVEL', `sk-${'hunter2-secret'.repeat(4)}`],
    ['LEASEHOLD_MASTERKEY', 'hunter2-secret'],
  ])('a wrong %s is not repeated', (name, value) => {
    const lines = problems({ [name]: value })
    expect(lines[0]).toContain(name)
    expect(lines.join()).not.toContain('hunter2')
  })
})

describe('README’s table', () => {
  test('has one row a setting, each with a default, a meaning and what is allowed', () => {
    const rows = settingsTable()
    expect(rows.map((row) => row.name)).toEqual(SETTING_NAMES)
    expect(new Set(SETTING_NAMES).size).toBe(rows.length)
    for (const row of rows) {
      expect(row.default).not.toBe('')
      expect(row.meaning).toMatch(/^.+\. Allowed: .+$/)
    }
  })
})
