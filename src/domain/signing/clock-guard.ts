// T7: a server whose clock differs from its database's by 60 s signs nothing. Keeps the last measurement, and stands
// before every private key. Measuring is measure-skew.ts; when it is done is up to the process.
import type { RootSigningKey } from '../../mint/keys.ts'
import { Refusal } from '../kernel/context.ts'
import type { Keyring, KeyringCache } from '../kernel/keyring.ts'

export const MOST_SKEW_MS = 60_000

export interface ClockGuard {
  /** Takes down a measurement: our clock minus the database's. */
  measured(skewMs: number): void
  /** What was measured last; null before the first time. */
  skewMs(): number | null
  /** Whether the clock may be signed by. */
  trusted(): boolean
  /** @throws Refusal `clock_skew` while the clock is not trusted. */
  check(): void
}

/** Trusts the clock until a measurement says otherwise. */
export function clockGuard(): ClockGuard {
  let last: number | null = null
  const trusted = () => last === null || Math.abs(last) < MOST_SKEW_MS
  return {
    measured(skewMs) {
      last = skewMs
    },
    skewMs: () => last,
    trusted,
    check() {
      if (trusted()) return
      throw new Refusal('clock_skew', "The server's clock differs from its database's; it signs nothing.", {
        facts: { skew_seconds: Math.round((last ?? 0) / 1000), allowed_seconds: MOST_SKEW_MS / 1000 },
        fix: 'Try again later. Whoever runs the server must set its clock, or its database’s.',
      })
    },
  }
}

/** The same keys, which sign only while the clock is trusted. Verifying goes on. */
export function guardKeyring(cache: KeyringCache, guard: ClockGuard): KeyringCache {
  const guarded = async (keyring: Promise<Keyring>): Promise<Keyring> => {
    const keys = await keyring
    return {
      ...keys,
      signer(product, use, now) {
        guard.check()
        return keys.signer(product, use, now)
      },
    }
  }
  return {
    current: (product) => guarded(cache.current(product)),
    reload: () => guarded(cache.reload()),
  }
}

/** The same root key, whose private half is out of reach while the clock is not trusted. */
export function guardRootKey(key: RootSigningKey, guard: ClockGuard): RootSigningKey {
  return {
    ...key,
    get privateKey() {
      guard.check()
      return key.privateKey
    },
  }
}
