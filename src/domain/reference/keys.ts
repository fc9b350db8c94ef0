// The signing keys of one version: opened once by `kid`, their statuses told from their times whenever they are used.
import type { KeyUse } from '../../contract/claims.ts'
import { type TrustedKeys, trustKeys } from '../../license/trusted-keys.ts'
import type { SigningKey } from '../../mint/keys.ts'
import { fromUnixSeconds, unixSeconds } from '../../platform/time.ts'
import type { Keyring } from '../kernel/keyring.ts'
import type { PublicKeyFacts } from '../kernel/reference.ts'
import { keyStatus } from '../signing/key-times.ts'
import { type OpenedKey, openStoredKey } from '../signing/stored-key.ts'
import type { KeyRow } from './statements.ts'

export interface ReferenceKey extends PublicKeyFacts {
  opened: OpenedKey
}

const date = (ms: number): Date => fromUnixSeconds(ms / 1000)
const dateOrNull = (ms: number | null): Date | null => (ms === null ? null : date(ms))

/** Opens each key once for as long as the process lives; keys are never forgotten. */
export function keyOpener(masterKey: Uint8Array) {
  const opened = new Map<string, OpenedKey & { publicKeyHex: string }>()

  /** @throws StartError for a key that the master key does not open. */
  return async function openKey(product: string, row: KeyRow): Promise<ReferenceKey> {
    const { kid, use, publicKeyHex } = row
    const key = {
      kid,
      product,
      use,
      publicKeyHex,
      createdAt: date(row.createdAt),
      notBefore: date(row.notBefore),
      supersededAt: dateOrNull(row.supersededAt),
      retiredAt: dateOrNull(row.retiredAt),
      revokedAt: dateOrNull(row.revokedAt),
    }
    const known = opened.get(kid)
    const same =
      known?.publicKeyHex === publicKeyHex && known.signing.product === product && known.signing.use === use
    if (known && same) return { ...key, opened: known }
    const fresh = await openStoredKey({ ...key, sealedPrivateKey: row.sealedPrivateKey }, masterKey)
    opened.set(kid, { ...fresh, publicKeyHex })
    return { ...key, opened: fresh }
  }
}

/** Milliseconds since 1970 at which the status of a key changes. */
export const transitionsOf = (keys: readonly PublicKeyFacts[]): number[] =>
  keys
    .flatMap(({ notBefore, supersededAt, retiredAt, revokedAt }) => [
      notBefore,
      supersededAt,
      retiredAt,
      revokedAt,
    ])
    .flatMap((at) => at?.getTime() ?? [])
    .sort((a, b) => a - b)

/** The keyring of one version at any moment. It is put together anew only when a key's status has changed. */
export function keyringOf(
  keys: readonly ReferenceKey[],
  keySetNumber: number,
  mayBeSigned: () => void,
): (now: Date) => Keyring {
  // Newest first: the first that has begun is the one that no later key has superseded.
  const byUse = Map.groupBy(
    keys.toSorted(
      (a, b) => Number(b.notBefore) - Number(a.notBefore) || Number(b.createdAt) - Number(a.createdAt),
    ),
    ({ product, use }) => `${use} ${product}`,
  )
  const products = new Set(keys.map(({ product }) => product))
  const transitions = transitionsOf(keys)
  const signer = <Use extends KeyUse>(product: string, use: Use, now: Date): SigningKey<Use> => {
    mayBeSigned()
    const found = byUse
      .get(`${use} ${product}`)
      ?.find(({ notBefore, revokedAt }) => notBefore <= now && revokedAt === null)
    if (!found) throw new Error(`product ${product} has no active ${use} key`)
    return found.opened.signing as SigningKey<Use>
  }
  const trustedAt = (now: Date): TrustedKeys =>
    trustKeys(
      keys.map((key) => ({
        ...key.opened.trusted,
        status: keyStatus(key, now),
        nbf: unixSeconds(key.notBefore),
      })),
    )
  let current: { keyring: Keyring; from: number; until: number } | null = null
  return (now) => {
    const at = now.getTime()
    if (current !== null && at >= current.from && at < current.until) return current.keyring
    const keyring = {
      keySetNumber,
      trusted: trustedAt(now),
      has: (code: string) => products.has(code),
      signer,
    }
    current = {
      keyring,
      from: transitions.findLast((time) => time <= at) ?? Number.NEGATIVE_INFINITY,
      until: transitions.find((time) => time > at) ?? Number.POSITIVE_INFINITY,
    }
    return keyring
  }
}
