// The server's own way of checking signatures against that of every other runtime: the same readers, the same verdicts.
import { describe, expect, test } from 'vitest'
import { verifyNow } from '../../src/domain/signing/verify-now.ts'
import { allotmentSteps } from '../../src/license/allotment.ts'
import { licenseJwtSteps } from '../../src/license/license-jwt.ts'
import { licenseKeySteps } from '../../src/license/license-key.ts'
import { type Steps, verifySteps } from '../../src/license/steps.ts'
import { ISSUER, makePair, NOW, PRODUCT } from './license/fixtures.ts'
import { kids, ownTrust, pairs, signedObjects, write } from './license/signed-objects.ts'

const expected = { issuer: ISSUER, product: PRODUCT, keys: ownTrust.keys, acceptRetired: true, now: NOW }
const READERS: Readonly<Record<string, (token: string) => Steps<{ ok: boolean }>>> = {
  'license JWT': (token) => licenseJwtSteps(token, { ...expected, age: 'unexpired' }),
  allotment: (token) => allotmentSteps(token, { ...expected, age: 'unexpired' }),
  'license key': (token) => licenseKeySteps(token, { ...expected, age: 'unexpired' }),
}

/** The token, and what differs from it by one character or one key. */
function variants(token: string): string[] {
  const changed = Array.from({ length: 40 }, (_, n) => {
    const at = Math.floor((token.length * n) / 40)
    return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
  })
  return [token, ...changed, `${token}A`, token.slice(0, -1), '', 'eyJ.e30.x', 'e30.x']
}

describe.each(Object.entries(READERS))('a %s', (name, steps) => {
  test('is read alike by node:crypto and by WebCrypto, and so is everything that is none', async () => {
    const tokens = signedObjects.flatMap(({ form, use, payload }) => [
      ...variants(write(form, pairs[use], payload)),
      write(form, makePair(), payload, kids[use]),
    ])
    const passed: string[] = []
    for (const token of tokens) {
      const now = verifyNow(steps(token))
      expect(now).toEqual(await verifySteps(steps(token)))
      if (now.ok) passed.push(token)
    }
    const own = signedObjects.filter((object) => object.name === name)
    expect(passed).toEqual(own.map(({ form, use, payload }) => write(form, pairs[use], payload)))
  })
})
