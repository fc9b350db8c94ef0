// What a signature and its verification cost with node:crypto, jose and WebCrypto: the figures behind mint/ed25519.ts
// and domain/signing/verify-now.ts. Rounds take turns, so that a busy machine disturbs all alike. Asserts nothing.
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { CompactSign, compactVerify } from 'jose'
import { expect, test } from 'vitest'
import { DIRECTIVE_TYP, LICENSE_TYP } from '../../src/contract/claims.ts'
import { verifyNow } from '../../src/domain/signing/verify-now.ts'
import { licenseJwtSteps, verifyLicenseJwt } from '../../src/license/license-jwt.ts'
import { trustKeys } from '../../src/license/trusted-keys.ts'
import { openSigningKey } from '../../src/mint/keys.ts'
import { signJws } from '../../src/mint/sign-jws.ts'
import { signRaw } from '../../src/mint/sign-raw.ts'
import {
  directiveClaims,
  entitlementPayload,
  ISSUER,
  licenseClaims,
  makePair,
  NOW,
  PRODUCT,
  trust,
} from '../unit/license/fixtures.ts'

const ROUNDS = 7
const EACH = 2_048
/** So many are under way at once: WebCrypto has threads of its own. */
const AT_ONCE = 64

const print = (line: string) => process.stdout.write(`${line}\n`)

test('signing and verifying', { timeout: 600_000 }, async () => {
  const pair = makePair()
  const license = openSigningKey(pair.pkcs8, { product: PRODUCT, use: 'license' })
  const control = openSigningKey(makePair().pkcs8, { product: PRODUCT, use: 'control' })
  const raw = openSigningKey(makePair().pkcs8, { product: PRODUCT, use: 'raw' })
  const keys = trustKeys([await trust(pair, { use: 'license' })])
  const privateKey = createPrivateKey({ key: Buffer.from(pair.pkcs8), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const webPrivate = await crypto.subtle.importKey('pkcs8', new Uint8Array(pair.pkcs8), 'Ed25519', false, [
    'sign',
  ])
  const webPublic = await crypto.subtle.importKey('raw', pair.raw, 'Ed25519', true, ['verify'])
  const header = { alg: 'EdDSA', typ: LICENSE_TYP, kid: license.kid }
  const payload = () => Buffer.from(JSON.stringify(licenseClaims))
  const token = signJws(license, LICENSE_TYP, licenseClaims)
  const [head = '', claims = '', signature = ''] = token.split('.')
  const data = Buffer.from(`${head}.${claims}`)
  const bytes = Buffer.from(signature, 'base64url')
  const expected = { issuer: ISSUER, product: PRODUCT, keys, acceptRetired: true, now: NOW } as const
  const works: Record<string, () => unknown> = {
    'sign    bare node:crypto, at once': () => sign(null, data, privateKey),
    'sign    bare WebCrypto': () => crypto.subtle.sign('Ed25519', webPrivate, data),
    'sign    jose CompactSign': () => new CompactSign(payload()).setProtectedHeader(header).sign(webPrivate),
    'sign    signJws license JWT, claims read': () => signJws(license, LICENSE_TYP, licenseClaims),
    'sign    signJws directive, claims read': () => signJws(control, DIRECTIVE_TYP, directiveClaims),
    'sign    signRaw entitlement token': () => signRaw(raw, 'entitlement_token', entitlementPayload),
    'verify  bare node:crypto, at once': () => verify(null, data, publicKey, bytes),
    'verify  bare WebCrypto': () => crypto.subtle.verify('Ed25519', webPublic, bytes, data),
    'verify  jose compactVerify': () => compactVerify(token, webPublic),
    'verify  license JWT, strict reader, node:crypto': () =>
      verifyNow(licenseJwtSteps(token, { ...expected, age: 'unexpired' })),
    'verify  license JWT, strict reader, WebCrypto': () =>
      verifyLicenseJwt(token, { ...expected, age: 'unexpired' }),
  }
  const seen = new Map(Object.keys(works).map((name) => [name, { rates: [], cpu: [] } as Figures]))
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, work] of Object.entries(works)) {
      const figures = await measure(work)
      // The first round warms up.
      if (round > 0) seen.get(name)?.rates.push(figures.rate)
      if (round > 0) seen.get(name)?.cpu.push(figures.cpu)
    }
  }
  print('median of 7 rounds, 64 at once                    per second   CPU µs each')
  for (const [name, { rates, cpu }] of seen) {
    print(
      `${name.padEnd(50)}${String(Math.round(median(rates))).padStart(10)}${median(cpu).toFixed(1).padStart(14)}`,
    )
  }
  expect(seen.size).toBe(Object.keys(works).length)
})

interface Figures {
  rates: number[]
  cpu: number[]
}

async function measure(work: () => unknown): Promise<{ rate: number; cpu: number }> {
  const before = process.cpuUsage()
  const start = performance.now()
  for (let done = 0; done < EACH; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  return { rate: EACH / seconds, cpu: (user + system) / EACH }
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
