// Key sets for those who keep the root key on another machine: the draft goes out, the signed set comes back.
import { KEY_SET_LIFE, type KeySetClaims, type KeySetKey } from '../../contract/claims.ts'
import { keySets } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { followKeySet } from '../../license/key-set.ts'
import { importRootKey } from '../../license/trusted-keys.ts'
import { fromUnixSeconds, MINUTE_SECONDS, unixSeconds } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'
import {
  draftKeySet,
  type KeySetRow,
  keySetDigest,
  lockKeySets,
  newestKeySet,
  nextKeySetNumber,
} from './publish-key-set.ts'
import { reloadKeyring } from './reload-keyring.ts'

/** How far the signing machine's clock may be ahead, in seconds. */
const CLOCK_TOLERANCE = MINUTE_SECONDS

/** What the root key is asked to sign: the keys as they are now, under the next number. */
export async function draftForRoot(ctx: Ctx): Promise<KeySetClaims> {
  requireRole(ctx, 'auditor')
  const now = ctx.clock.now()
  const iat = unixSeconds(now)
  const number = nextKeySetNumber(await newestKeySet(ctx.db), now)
  const keys = await draftKeySet(ctx.db, now)
  return { iss: ctx.settings.issuer, number, iat, exp: iat + KEY_SET_LIFE, keys }
}

/**
 * Publishes a set signed elsewhere. Sending the set that is in force again changes nothing.
 * @throws Refusal `invalid_request` when it is not signed by the configured root for this issuer, or its times are
 * off; `conflict` when the keys have changed since it was drafted, or its number is not above the last one's.
 */
export async function importKeySet(ctx: Ctx, jws: string): Promise<KeySetRow> {
  requireRole(ctx, 'owner')
  const claims = await verified(ctx, jws)
  const row = await transaction(ctx.db, async (tx) => {
    await lockKeySets(tx)
    const now = ctx.clock.now()
    const newest = await newestKeySet(tx)
    if (newest?.jws === jws) return newest
    checkTimes(claims, newest, now)
    const keys = await draftKeySet(tx, now)
    if (contentOf(keys) !== contentOf(claims.keys)) throw keysHaveChanged()
    const values = {
      number: claims.number,
      issuedAt: fromUnixSeconds(claims.iat),
      expiresAt: fromUnixSeconds(claims.exp),
      digest: keySetDigest(keys),
      jws,
    }
    await tx.insert(keySets).values(values)
    await recordChange(tx, ctx, {
      action: 'key_set.import',
      subject: String(claims.number),
      event: 'keys.changed',
      details: { keys: keys.length },
    })
    return values
  })
  await reloadKeyring(ctx)
  return row
}

async function verified(ctx: Ctx, jws: string): Promise<KeySetClaims> {
  const root = await importRootKey(Buffer.from(ctx.rootPublicKeyHex, 'hex'))
  if (!root.ok) throw new Error('the configured root public key is no Ed25519 key')
  const { issuer } = ctx.settings
  const followed = await followKeySet(jws, { issuer, roots: [root.key], current: null })
  if (followed.ok) return followed.claims
  throw new Refusal(
    'invalid_request',
    "This is not a key set of this issuer, signed with this server's root key.",
    {
      facts: { reason: followed.reason, issuer, root_public_key: ctx.rootPublicKeyHex },
      fix: 'Sign the draft of this server with the private half of that root key.',
    },
  )
}

function checkTimes(claims: KeySetClaims, newest: KeySetRow | null, now: Date): void {
  const seconds = unixSeconds(now)
  if (newest !== null && claims.number <= newest.number) {
    throw new Refusal('conflict', 'A key set with this number or a higher one is in force.', {
      facts: { reason: 'number_not_above', number: claims.number, current: newest.number },
      fix: 'Draft the set again, sign it and send it.',
    })
  }
  // A number far ahead would force all later ones to follow it.
  const highest = Math.max(nextKeySetNumber(newest, now), seconds + CLOCK_TOLERANCE)
  if (claims.number > highest || claims.iat > seconds + CLOCK_TOLERANCE || claims.exp <= seconds) {
    throw new Refusal('invalid_request', 'The number or the times of this key set are off.', {
      facts: { reason: 'bad_times', number: claims.number, highest_number: highest, now: seconds },
      fix: 'Sign a fresh draft as it is, without changing it.',
    })
  }
}

const keysHaveChanged = () =>
  new Refusal('conflict', 'The signing keys or their statuses have changed since this set was drafted.', {
    facts: { reason: 'keys_changed' },
    fix: 'Draft the set again, sign it and send it. A rotation with a longer activate_in leaves more time.',
  })

/** What the keys say, in whichever order they stand. */
const contentOf = (keys: readonly KeySetKey[]): string =>
  JSON.stringify(
    keys
      .map(({ kid, x, product, use, status, nbf }) => JSON.stringify([kid, x, product, use, status, nbf]))
      .sort(),
  )
