// `leasehold verify` and `leasehold inspect` over every signed object, made with node:crypto alone.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ACTIVATION_TYP,
  ALLOTMENT_TYP,
  DIRECTIVE_TYP,
  KEY_SET_TYP,
  type KeySetKey,
  type KeyStatus,
  LICENSE_TYP,
  RELAY_LEASE_TYP,
} from '../../src/contract/claims.ts'
import { keyThumbprint } from '../../src/license/trusted-keys.ts'
import { inProcess, spawned } from '../support/leasehold-cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import * as samples from '../unit/license/fixtures.ts'

const { makePair, nodeJws, nodeRaw } = samples
const pair = makePair()
const relay = makePair()
const kid = await keyThumbprint(pair.raw)
const key = `--public-key=${Buffer.from(pair.raw).toString('hex')}`
const stranger = `--public-key=${Buffer.from(makePair().raw).toString('hex')}`

const now = Math.floor(Date.now() / 1000)
const DAY = 86_400
/** The samples, moved to today. */
const today = {
  license: { ...samples.licenseClaims, iat: now, exp: now + DAY, license_exp: now + 90 * DAY },
  directive: { ...samples.directiveClaims, iat: now, exp: now + 300 },
  activation: { ...samples.activationClaims, iat: now, exp: now + DAY, grant: 'eyJ.payload.signature' },
  allotment: { ...samples.allotmentClaims(relay.x), nbf: now, exp: now + 30 * DAY },
  keySet: { ...samples.keySetClaims([]), iat: now, exp: now + 34_560_000 },
  entitlement: { ...samples.entitlementPayload, issued_at: now, expires_at: now + DAY },
  licenseKey: { ...samples.licenseKeyPayload, issued_at: now, expires_at: now + 365 * DAY },
  envelope: { ...samples.envelopePayload, iat: now, exp: now + DAY, limits: { max_apps: 2_147_483_647 } },
}
const jws = (typ: string, claims: object) => nodeJws(pair, { alg: 'EdDSA', typ, kid }, claims)
const envelope = (payload: object) =>
  nodeRaw(pair, payload)
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('base64'))
    .join('.')

const allotment = jws(ALLOTMENT_TYP, today.allotment)
const lease = nodeJws(
  relay,
  { alg: 'EdDSA', typ: RELAY_LEASE_TYP, kid: await keyThumbprint(relay.raw) },
  { ...samples.relayLeaseClaims(allotment), iat: now, exp: now + DAY },
)

const TOKENS = {
  'license JWT': jws(LICENSE_TYP, today.license),
  directive: jws(DIRECTIVE_TYP, today.directive),
  'offline answer': jws(ACTIVATION_TYP, today.activation),
  allotment,
  'relay lease': lease,
  'key set': jws(KEY_SET_TYP, today.keySet),
  'license key': nodeRaw(pair, today.licenseKey),
  'entitlement token': nodeRaw(pair, today.entitlement),
  envelope: envelope(today.envelope),
}
const kinds = Object.entries(TOKENS)

let folder: string
const file = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await temporaryFolder('leasehold-tokens-')
  await writeFile(file('envelope'), TOKENS.envelope)
  await writeFile(file('jwt'), `${TOKENS['license JWT']}\n`)
  await writeFile(
    file('jwks.json'),
    JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: pair.x, kid }] }),
  )
})
afterAll(() => rm(folder, { recursive: true }))

describe.each(kinds)('a %s', (kind, token) => {
  test('is verified with its key, and refused with exit code 3 under another', async () => {
    const good = await inProcess(['verify', '-', key], token)
    expect([good.code, good.out.split('\n')[0]]).toEqual([0, `Verified: signed by the key ${kid}.`])
    const bad = await inProcess(['verify', '-', stranger], token)
    expect([bad.code, bad.out, bad.err]).toEqual([
      3,
      expect.stringMatching(/^NOT VERIFIED: /),
      expect.stringMatching(/^VERIFY FAILED: /),
    ])
  })

  test('is shown without a key as not verified, before any word of its own', async () => {
    const { code, out } = await inProcess(['inspect', '-'], token)
    expect(code).toBe(0)
    expect(out).toMatch(
      /^NOT VERIFIED: no key was given to check it with\. What follows is the token's own word\.\n/,
    )
    expect(out).toMatch(new RegExp(`kind +${kind}\n`))
    const told = JSON.parse((await inProcess(['inspect', '-', '--json'], token)).out)
    expect(told).toMatchObject({ verified: false, kind, signed_by: null, valid_now: null })
    expect(told.state_by_its_dates).toBe('ACTIVE')
  })

  test('is shown with its key as verified and valid now', async () => {
    const told = JSON.parse((await inProcess(['inspect', '-', key, '--json'], token)).out)
    expect(told).toMatchObject({ verified: true, kind, signed_by: kid, valid_now: true })
  })

  test('with a changed byte anywhere is not verified', async () => {
    for (const at of [0, 1, 5, 40, token.length - 10, token.length - 1]) {
      const other = token[at] === 'A' ? 'B' : 'A'
      const changed = token.slice(0, at) + other + token.slice(at + 1)
      expect((await inProcess(['verify', '-', key], changed)).code, changed).toBe(3)
    }
  })
})

test('an offline answer is found in its file', async () => {
  const answer = {
    kind: 'leasehold-activation',
    version: 1,
    activation: TOKENS['offline answer'],
    key_set: 'x',
  }
  const told = JSON.parse((await inProcess(['inspect', '-', key, '--json'], JSON.stringify(answer))).out)
  expect(told).toMatchObject({ verified: true, kind: 'offline answer', claims: { instance_id: 'test-001' } })
})

describe('what a token has to name', () => {
  test.each([
    ['license JWT', '--issuer=https://other.example', 'it names issuer'],
    ['license JWT', '--product=other', 'it names another product'],
    ['license JWT', '--instance=other', 'it names instance'],
    ['directive', '--instance=other', 'it names instance'],
    ['relay lease', '--instance=other', 'it names instance'],
    ['relay lease', '--issuer=https://other.example.com', 'it names another issuer'],
    ['allotment', '--product=other', 'it names another product'],
    ['offline answer', '--instance=other', 'it names instance'],
    ['license key', '--product=other', 'it names another product'],
    ['entitlement token', '--issuer=https://other.example', 'it names issuer'],
    ['key set', '--issuer=https://other.example', 'it names another issuer'],
    ['envelope', '--product=other', 'it names no product'],
    ['envelope', '--issuer=https://other.example', 'it names no issuer'],
    ['license key', '--tenant=acme', 'it names no tenant'],
    ['envelope', '--tenant=other', "License tenantId 'acme' does not match server tenant 'other'"],
    ['envelope', '--instance=other', 'License belongs to another instance'],
  ] as const)('a %s with %s is refused', async (kind, option, words) => {
    const { code, err } = await inProcess(['verify', '-', key, option], TOKENS[kind])
    expect([code, err]).toEqual([3, expect.stringContaining(words)])
  })

  test('and was not compared is told', async () => {
    const told = async (...args: string[]) =>
      JSON.parse((await inProcess(['verify', '-', key, '--json', ...args], TOKENS['license JWT'])).out)
    expect((await told()).not_compared).toEqual(['issuer', 'product', 'tenant', 'instance'])
    const named = [
      `--issuer=${samples.ISSUER}`,
      `--product=${samples.PRODUCT}`,
      '--tenant=ten_1',
      '--instance=test-001',
    ]
    expect((await told(...named)).not_compared).toEqual([])
  })
})

describe('time', () => {
  const ended = (days: number) => envelope({ ...today.envelope, iat: now - 99 * DAY, exp: now - days * DAY })

  test('in grace a license still holds', async () => {
    const { code, out } = await inProcess(['verify', '-', key], ended(1))
    expect([code, out]).toEqual([0, expect.stringMatching(/by its dates +GRACE at /)])
  })

  test('past its grace it is genuine and not valid: exit code 3, in the words of the product', async () => {
    const { code, out, err } = await inProcess(['verify', '-', key], ended(3))
    expect([code, out]).toEqual([3, expect.stringMatching(/^Verified: /)])
    expect(err).toMatch(/^VERIFY FAILED: License expired at \S+Z \(grace period 2 days\)\n$/)
    const told = JSON.parse((await inProcess(['inspect', '-', key, '--json'], ended(3))).out)
    expect(told).toMatchObject({ verified: true, valid_now: false, state_by_its_dates: 'EXPIRED' })
  })
})

describe('the root-signed key set', () => {
  const role = { product: samples.PRODUCT, status: 'active', nbf: 0 } as const
  const root = makePair()
  const rootKey = `--public-key=${Buffer.from(root.raw).toString('hex')}`
  const keySet = async (keys: KeySetKey[], signer = root): Promise<string> => {
    const header = { alg: 'EdDSA', typ: KEY_SET_TYP, kid: await keyThumbprint(root.raw) }
    await writeFile(file('set'), nodeJws(signer, header, { ...today.keySet, keys }))
    return `--key-set=${file('set')}`
  }
  const verify = (token: string, set: string, ...more: string[]) =>
    inProcess(['verify', '-', set, rootKey, ...more], token)

  test.each([
    ['license', ['license JWT']],
    ['control', ['directive', 'offline answer', 'allotment', 'relay lease']],
    ['raw', ['license key', 'entitlement token', 'envelope']],
  ] as const)('with a %s key vouches for %j and nothing else (T4)', async (use, vouched) => {
    const set = await keySet([{ kid, x: pair.x, use, ...role }])
    const passed: string[] = []
    for (const [kind, token] of kinds) if ((await verify(token, set)).code === 0) passed.push(kind)
    expect(passed.sort()).toEqual([...vouched].sort())
  })

  test('vouches for nothing under a revoked key, nor for a directive under a retired one', async () => {
    const codes = async (status: KeyStatus) => {
      const set = await keySet([{ kid, x: pair.x, use: 'control', ...role, status }])
      return [(await verify(TOKENS.directive, set)).code, (await verify(TOKENS.allotment, set)).code]
    }
    expect(await codes('retiring')).toEqual([0, 0])
    expect(await codes('retired')).toEqual([3, 0])
    expect(await codes('revoked')).toEqual([3, 3])
  })

  test('that the root did not sign, or of another issuer, is refused for what it is', async () => {
    const keys: KeySetKey[] = [{ kid, x: pair.x, use: 'control', ...role }]
    const forged = await verify(TOKENS.directive, await keySet(keys, makePair()))
    expect([forged.code, forged.err]).toEqual([1, expect.stringContaining('no key set of this root key')])
    const set = await keySet(keys)
    const foreign = await verify(TOKENS.directive, set, '--issuer=https://other.example')
    expect([foreign.code, foreign.err]).toEqual([1, expect.stringContaining('wrong_issuer')])
    expect((await verify(TOKENS.directive, set, `--issuer=${samples.ISSUER}`)).code).toBe(0)
  })
})

describe('the program', () => {
  test('verifies a file under a JWK set, and an envelope from standard input', async () => {
    const jwt = await spawned([
      'verify',
      file('jwt'),
      '--jwks',
      file('jwks.json'),
      `--issuer=${samples.ISSUER}`,
    ])
    expect([jwt.code, jwt.err]).toEqual([0, ''])
    const read = await spawned(['inspect', '-', key, '--tenant=acme'], TOKENS.envelope)
    expect([read.code, read.out]).toEqual([0, expect.stringMatching(/limits +max_apps unlimited\n/)])
    expect((await spawned(['verify', file('envelope'), stranger])).code).toBe(3)
  })

  test('a JWK set vouches for license JWTs alone, whatever stands in it (T4)', async () => {
    for (const [kind, token] of kinds) {
      const { code } = await inProcess(['verify', '-', `--jwks=${file('jwks.json')}`], token)
      expect([kind, code]).toEqual([kind, kind === 'license JWT' ? 0 : 3])
    }
  })

  test.each([
    [['verify', '-'], 2],
    [['verify', '-', '--key-set=x'], 2],
    [['verify', '-', key, '--key-set=/nowhere'], 1],
    [['verify', '-', '--jwks=x', '--key-set=x'], 2],
    [['verify', key], 2],
    [['verify', '-', key, '--jwks=x'], 2],
    [['verify', '-', key], 3],
    [['inspect', '-'], 1],
    [['inspect', '/nowhere'], 1],
    [['verify', '-', '--public-key=/nowhere'], 1],
  ])('%j ends with %i', async (args, code) => {
    expect((await inProcess(args, 'no token')).code).toBe(code)
  })

  test('shows an envelope in the wrong alphabet as one that is refused', async () => {
    const { code, err } = await inProcess(['verify', '-', key], nodeRaw(pair, today.envelope))
    expect([code, err]).toEqual([3, 'VERIFY FAILED: License token is not valid base64\n'])
  })

  test('lets no token write on the terminal', async () => {
    const evil = envelope({ ...today.envelope, label: '\u001b[2K\u001b[1AVerified\u202e' })
    const { out } = await inProcess(['inspect', '-'], evil)
    expect(out).toContain('\\u{1b}[2K\\u{1b}[1AVerified\\u{202e}')
    expect(out).not.toContain('\u001b')
  })
})
