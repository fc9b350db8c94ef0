import { describe, expect, test } from 'vitest'
import { checkOptions } from '../../../src/sdk/options/check.ts'
import { LicenseOptionsError } from '../../../src/sdk/options/error.ts'
import type { LicenseOptions } from '../../../src/sdk/options.ts'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { readPublicKey } from '../../../src/sdk/trust/keys.ts'
import { makePair } from '../../unit/license/fixtures.ts'
import { makeWorld } from './support/world.ts'

const pair = makePair()
const good: LicenseOptions = {
  product: 'keldris',
  version: '1.4.0',
  serverUrl: 'https://license.example.com/',
  trust: { issuer: 'https://license.example.com', roots: [pair.x] },
}
const problemsOf = (options: unknown): readonly string[] => {
  try {
    checkOptions(options as LicenseOptions)
    return []
  } catch (error) {
    if (error instanceof LicenseOptionsError) return error.problems
    throw error
  }
}

describe('the options', () => {
  test('have the documented defaults', () => {
    expect(checkOptions(good)).toMatchObject({
      serverUrl: 'https://license.example.com',
      apiKey: null,
      dataDir: undefined,
      telemetry: false,
      usage: null,
      community: { tier: 'community', features: [], limits: {} },
      connectTimeout: 10_000,
      refreshInterval: 86_400_000,
      heartbeatInterval: 21_600_000,
      graceDays: 30,
      clockPolicy: 'floor',
      allowInsecure: false,
    })
  })

  test('take unlimited as −1 or Infinity, and a blank credential as none', () => {
    const options = { ...good, apiKey: '  ', token: '', community: { limits: { a: -1, b: Infinity, c: 0 } } }
    expect(checkOptions(options)).toMatchObject({
      apiKey: null,
      token: null,
      community: { limits: { a: Infinity, b: Infinity, c: 0 } },
    })
  })

  test('name every mistake at once', () => {
    expect(
      problemsOf({
        product: 'Not A Product',
        serverUrl: 'http://license.example.com',
        apiKey: 5,
        trust: { roots: ['short'], keys: [{ x: pair.x }], minNumber: -1 },
        telemetry: true,
        usage: {},
        community: { tier: '', features: 'all', limits: { max: 'many' } },
        tiers: { pro: { limits: { max: -2 } } },
        connectTimeout: 5,
        refreshInterval: 1.5,
        clockPolicy: 'ignore',
        allowInsecure: 'yes',
        instanceId: 'with\nnewline',
        fingerprint: 'x'.repeat(257),
        log: { info() {} },
      }).map((problem) => problem.split(' ')[0]),
    ).toEqual([
      'product',
      'version',
      'allowInsecure',
      'apiKey',
      'serverUrl',
      'instanceId',
      'fingerprint',
      'clockPolicy',
      'log',
      'trust.issuer',
      'trust.roots',
      'trust.keys',
      'trust.minNumber',
      'community.tier',
      'community.features',
      'community.limits',
      'tiers.pro.limits',
      'telemetry',
      'usage',
      'connectTimeout',
      'refreshInterval',
    ])
  })

  test('without a root name a license key and a control key by hand, and say what is missing without (T4)', () => {
    const { issuer } = good.trust as { issuer: string }
    const keys = (...uses: string[]) => uses.map((use) => ({ x: makePair().x, use }))
    const problems = (trust: object, more: object = {}) => problemsOf({ ...good, trust, ...more })
    expect(problems({ issuer, keys: keys('license', 'control') })).toEqual([])
    expect(problems({ issuer, keys: keys('license', 'control', 'raw') })).toEqual([])
    expect(problems({ issuer, keys: keys('license', 'raw') })).toEqual([
      expect.stringMatching(/^trust\.keys has no control key: no directive could be verified.+trust\.roots/),
    ])
    expect(problems({ issuer, keys: keys('control') })).toEqual([
      expect.stringMatching(/^trust\.keys has no license key: .+trust\.roots/),
    ])
    expect(problems({ issuer, keys: [] })).toHaveLength(2)
    expect(problems({ issuer, keys: keys('jws') })).toEqual([
      'trust.keys must be a list of { x, use: "license" | "control" | "raw", kid? }',
    ])
    expect(problems({ issuer })).toEqual([expect.stringMatching(/^trust\.roots/)])
    // With a root its key set names all keys; without a server there is nobody who could direct.
    expect(problems({ ...good.trust, keys: keys('raw') })).toEqual([])
    expect(problems({ keys: keys('raw') }, { serverUrl: undefined })).toEqual([])
    expect(problems({ issuer, keys: keys('license') }, { serverUrl: undefined })).toHaveLength(1)
  })

  test.each([undefined, null, 5, 'options', []])('that are no object are one, not a crash: %s', (options) => {
    expect(problemsOf(options)).toContain('options must be an object')
  })

  test('an API key needs a server to exchange it', () => {
    const { serverUrl: _none, ...rest } = good
    expect(problemsOf({ ...rest, apiKey: 'sk-1' })).toEqual(['apiKey needs serverUrl'])
  })

  test('plain http is for loopback, or where it is allowed', () => {
    expect(problemsOf({ ...good, serverUrl: 'http://localhost:8081' })).toEqual([])
    expect(problemsOf({ ...good, serverUrl: 'http://10.0.0.1:8081' })).toHaveLength(1)
    expect(problemsOf({ ...good, serverUrl: 'http://10.0.0.1:8081', allowInsecure: true })).toEqual([])
  })

  test('startLicense throws for a mistake, and only for that', async () => {
    const world = makeWorld()
    await expect(startLicenseOn(world.host(), {} as never)).rejects.toThrow(LicenseOptionsError)
    const host = world.host()
    host.openStorage = () => Promise.reject(new Error('the disk is on fire'))
    host.fetch = () => {
      throw new Error('so is the network')
    }
    host.log = {
      info() {},
      warn() {
        throw new Error('and the log')
      },
      error() {},
    }
    const license = await world.time.during(startLicenseOn(host, world.options({ apiKey: 'sk-1' })))
    expect(license.state).toBe('ABSENT')
    await license.stop({ release: true })
  })
})

describe('a pinned key', () => {
  test('may be hex, base64url or SPKI in base64', () => {
    const raw = Buffer.from(pair.x, 'base64url')
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw])
    for (const text of [
      raw.toString('hex'),
      raw.toString('hex').toUpperCase(),
      pair.x,
      spki.toString('base64'),
    ]) {
      expect(readPublicKey(text)).toEqual(new Uint8Array(raw))
    }
    for (const text of ['', 'ab', pair.x.slice(1), Buffer.alloc(44).toString('base64'), null, 5]) {
      expect(readPublicKey(text)).toBeNull()
    }
  })
})
