// The test server's keys and the root-signed set that publishes them. Numbers only rise (T4, T12).
import { KEY_SET_LIFE, KEY_SET_TYP, type KeySetKey } from '../../contract/claims.ts'
import { forgedBy, keySetKey, makeKey, signJws, type TestKey } from './signing.ts'

export interface TestKeys {
  readonly root: TestKey
  readonly number: number
  /** The keys that sign now; a stranger's under their names where a forger is at work. */
  license(forged: boolean): TestKey
  control(forged: boolean): TestKey
  raw: TestKey
  /** The published set. */
  keySet(): Promise<string>
  /** New keys sign from now on. The old ones retire in peace, or verify nothing any more. */
  rotate(old: 'retiring' | 'revoked'): Promise<void>
}

/** `now` in unix seconds. */
export async function makeKeys(issuer: string, product: string, now: () => number): Promise<TestKeys> {
  const [root, raw, stranger] = await Promise.all([makeKey(), makeKey(), makeKey()])
  let [license, control] = await Promise.all([makeKey(), makeKey()])
  let number = now()
  let publishedAt = now()
  let published: Promise<string> | null = null
  let keys: KeySetKey[] = [
    keySetKey(license, product, 'license', 'active', 0),
    keySetKey(control, product, 'control', 'active', 0),
    keySetKey(raw, product, 'raw', 'active', 0),
  ]

  function publish(): void {
    number = Math.max(number + 1, now())
    publishedAt = now()
    published = null
  }

  return {
    root,
    raw,
    get number() {
      return number
    },
    license: (forged) => (forged ? forgedBy(stranger, license) : license),
    control: (forged) => (forged ? forgedBy(stranger, control) : control),
    keySet() {
      // Signed anew before the set of a long test runs out.
      if (now() - publishedAt > KEY_SET_LIFE / 2) publish()
      const claims = { iss: issuer, number, iat: publishedAt, exp: publishedAt + KEY_SET_LIFE, keys }
      published ??= signJws(root, KEY_SET_TYP, claims)
      return published
    },
    async rotate(old) {
      const before = [license.kid, control.kid]
      ;[license, control] = await Promise.all([makeKey(), makeKey()])
      keys = [
        ...keys.map((key) => (before.includes(key.kid) ? { ...key, status: old } : key)),
        keySetKey(license, product, 'license', 'active', now()),
        keySetKey(control, product, 'control', 'active', now()),
      ]
      publish()
    },
  }
}
