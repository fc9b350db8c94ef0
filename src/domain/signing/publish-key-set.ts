// The root-signed, numbered key set (T4): signed anew when the keys, their statuses or its age ask for it.
import { desc, eq, sql } from 'drizzle-orm'
import { KEY_SET_LIFE, KEY_SET_TYP, type KeySetKey } from '../../contract/claims.ts'
import type { Executor, Transaction } from '../../db/client.ts'
import { keySets, products, signingKeys } from '../../db/schema/index.ts'
import { signJws } from '../../mint/sign-jws.ts'
import { sha256Hex } from '../../platform/hash.ts'
import { fromUnixSeconds, unixSeconds } from '../../platform/time.ts'
import type { Ctx } from '../kernel/context.ts'
import { keyStatus } from './key-times.ts'

const KEY_SET_LOCK = 5_027_020
/** A set is renewed when it has less than this many seconds left: half its life. */
const RENEW_BELOW = KEY_SET_LIFE / 2

export type KeySetRow = typeof keySets.$inferSelect

/** The newest set, or null before the first one was signed. */
export async function newestKeySet(db: Executor): Promise<KeySetRow | null> {
  const [found] = await db.select().from(keySets).orderBy(desc(keySets.number)).limit(1)
  return found ?? null
}

/** What a set signed now would say. Retired keys stay in it: they verify old offline grants. */
export async function draftKeySet(db: Executor, now: Date): Promise<KeySetKey[]> {
  const rows = await db
    .select({ key: signingKeys, product: products.code })
    .from(signingKeys)
    .innerJoin(products, eq(products.id, signingKeys.productId))
    .orderBy(signingKeys.createdAt, signingKeys.kid)
  return rows.map(({ key, product }) => ({
    kid: key.kid,
    x: Buffer.from(key.publicKeyHex, 'hex').toString('base64url'),
    product,
    use: key.use,
    status: keyStatus(key, now),
    nbf: unixSeconds(key.notBefore),
  }))
}

export const keySetDigest = (keys: readonly KeySetKey[]): string => sha256Hex(JSON.stringify(keys))

/** Until commit, nobody else signs or takes in a key set. Taken before the events' lock, never after it. */
export async function lockKeySets(tx: Transaction): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${KEY_SET_LOCK})`)
}

/** Whether `newest` says what a set signed now would say, and is in the first half of its life. */
export function isCurrent(newest: KeySetRow | null, keys: readonly KeySetKey[], now: Date): boolean {
  if (newest === null || newest.digest !== keySetDigest(keys)) return false
  return unixSeconds(newest.expiresAt) - unixSeconds(now) > RENEW_BELOW
}

/** The next number: seconds, so that it rises past a restored database too (T12). */
export const nextKeySetNumber = (newest: KeySetRow | null, now: Date): number =>
  Math.max((newest?.number ?? 0) + 1, unixSeconds(now))

/**
 * Signs and stores a set if what the newest says is no longer so, or it is past half its life. Returns its number.
 * Where the root key is kept on another machine nothing is signed: `leasehold keys sign-set` does it there.
 */
export async function publishKeySet(tx: Transaction, ctx: Ctx): Promise<number | null> {
  if (!ctx.rootKey) return null
  await lockKeySets(tx)
  const now = ctx.clock.now()
  const newest = await newestKeySet(tx)
  const keys = await draftKeySet(tx, now)
  if (newest !== null && isCurrent(newest, keys, now)) return newest.number
  const digest = keySetDigest(keys)
  const iat = unixSeconds(now)
  const number = nextKeySetNumber(newest, now)
  const exp = iat + KEY_SET_LIFE
  const jws = signJws(ctx.rootKey, KEY_SET_TYP, { iss: ctx.settings.issuer, number, iat, exp, keys })
  await tx
    .insert(keySets)
    .values({ number, issuedAt: fromUnixSeconds(iat), expiresAt: fromUnixSeconds(exp), digest, jws })
  return number
}
