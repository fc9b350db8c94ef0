// The test server's keys and the root-signed set that publishes them. Numbers only rise (T4, T12).
import { KEY_SET_LIFE, KEY_SET_TYP, type KeySetKey } from '../../contract/claims.ts'
import { forgedBy, keySetKey, makeKey, signJws, type TestKey } from './signing.ts'

export interface TestKeys {
  readonly root: TestKey
  readonly number: number
  /** The key that signs now; a stranger's under its name where a forger is at work. */
  jws(forged: boolean): TestKey
  raw: TestKey
  /** The published set. */
  keySet(): Promise<string>
  /** A new key signs from now on. The old one retires in peace, or verifies nothing any more. */
  rotate(old: 'retiring' | 'revoked'): Promise<void>
}

/** `now` in unix seconds. */
export async function makeKeys(issuer: string, product: string, now: () => number): Promise<TestKeys> {
  const [root, first, raw, stranger] = await Promise.all([makeKey(), makeKey(), makeKey(), makeKey()])
  let active = first
  let number = now()
  let publishedAt = now()
  let published: Promise<string> | null = null
  let keys: KeySetKey[] = [
    keySetKey(first, product, 'jws', 'active', 0),
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
    jws: (forged) => (forged ? forgedBy(stranger, active) : active),
    keySet() {
      // Signed anew before the set of a long test runs out.
      if (now() - publishedAt > KEY_SET_LIFE / 2) publish()
      const claims = { iss: issuer, number, iat: publishedAt, exp: publishedAt + KEY_SET_LIFE, keys }
      published ??= signJws(root, KEY_SET_TYP, claims)
      return published
    },
    async rotate(old) {
      const next = await makeKey()
      keys = [
        ...keys.map((key) => (key.kid === active.kid ? { ...key, status: old } : key)),
        keySetKey(next, product, 'jws', 'active', now()),
      ]
      active = next
      publish()
    },
  }
}
