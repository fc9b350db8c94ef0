// The published key set: whether it says what is so, how long it lasts, and whether products will believe it (T4).
import type { RootKey } from '../../config/root-key.ts'
import type { Database } from '../../db/client.ts'
import { keySetOrigin } from '../../domain/signing/key-set-origin.ts'
import { draftKeySet, isCurrent, keySetDigest, newestKeySet } from '../../domain/signing/publish-key-set.ts'
import { rfc3339 } from '../../platform/time.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const SOON_DAYS = 30
const DAY_MS = 86_400_000
const SIGN_IT =
  'Sign a new one: GET /api/v1/admin/key-sets/draft, leasehold keys sign-set where the root key is, POST /api/v1/admin/key-sets.'
const JOB_SIGNS = 'Let a server run: its job key_set signs a new one within a minute.'

/** `issuer` is null where the server finds it by itself. */
export async function examineKeySet(
  db: Database,
  rootKey: RootKey,
  issuer: string | null,
  now: Date,
): Promise<Finding> {
  const newest = await newestKeySet(db)
  const keys = await draftKeySet(db, now)
  const fix = rootKey.kind === 'private' ? JOB_SIGNS : SIGN_IT
  if (newest === null) {
    return keys.length === 0
      ? ok('key set', 'There is no product yet, and so no key set.')
      : warning('key set', 'None was signed yet: products cannot learn the keys.', fix)
  }
  const origin = await keySetOrigin(db, rootKey.publicKey)
  if (origin !== null && !origin.ownRoot) {
    return problem(
      'key set',
      `Number ${newest.number} was signed with another root key than this server has.`,
      'Set LEASEHOLD_ROOT_KEY to that key. If it is lost: ship products that pin the new one, best beside the old.',
    )
  }
  if (origin !== null && issuer !== null && origin.issuer !== issuer) {
    return problem(
      'key set',
      `Number ${newest.number} was signed for the issuer ${origin.issuer}; the settings say ${issuer}.`,
      'Set LEASEHOLD_ISSUER back: another issuer ends every lease.',
    )
  }
  const days = Math.floor((newest.expiresAt.getTime() - now.getTime()) / DAY_MS)
  if (days < 0)
    return problem('key set', `Expired at ${rfc3339(newest.expiresAt)}: nothing that takes is obeyed.`, fix)
  if (newest.digest !== keySetDigest(keys)) {
    return warning('key set', `Number ${newest.number} does not tell of the latest change of keys.`, fix)
  }
  const detail = `Number ${newest.number} tells the keys as they are, until ${rfc3339(newest.expiresAt)}.`
  if (days < SOON_DAYS) return warning('key set', detail, fix)
  return isCurrent(newest, keys, now) || rootKey.kind === 'public'
    ? ok('key set', detail)
    : warning('key set', `${detail} It is past half its life.`, fix)
}
