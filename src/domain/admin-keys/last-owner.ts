// The last-owner rule: there is always an owner key that never expires, or at least one that lives on for a day. Without
// one nobody could create another over the API. Every change of admin keys passes here, one after the other.
import { and, eq, isNull, ne, sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { adminKeys } from '../../db/schema/index.ts'
import { parsePublicId } from '../../platform/ids.ts'
import { addSeconds, DAY_SECONDS } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { refuseDead, unknownAdminKey } from './authenticate-admin.ts'
import type { AdminKeyRow } from './create-admin-key.ts'

const ADMIN_KEYS_LOCK = 5_027_030

/**
 * Until commit: of many changes of admin keys at once, each sees what the one before it left. Take it first. An admin
 * whose own key was revoked or demoted since the request was let in changes nothing any more.
 * @throws Refusal 401 `admin_key_revoked`, `admin_key_expired`, 403 `forbidden`
 */
export async function holdAdminKeys(tx: Transaction, ctx: Ctx): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${ADMIN_KEYS_LOCK})`)
  const own = ctx.actor.kind === 'admin' ? parsePublicId('adm', ctx.actor.id) : null
  if (own === null) return
  const [key] = await tx
    .select({ role: adminKeys.role, expiresAt: adminKeys.expiresAt, revokedAt: adminKeys.revokedAt })
    .from(adminKeys)
    .where(eq(adminKeys.id, own))
  if (!key) throw unknownAdminKey()
  refuseDead(key, ctx.clock.now())
  requireRole({ ...ctx, actor: { kind: 'admin', id: ctx.actor.id, role: key.role } }, 'owner')
}

/** `ending`: still good for the moment, and no replacement for another. */
type Worth = 'lasting' | 'expiring' | 'ending' | 'none'
const ORDER: readonly Worth[] = ['none', 'ending', 'expiring', 'lasting']
const rank = (worth: Worth): number => ORDER.indexOf(worth)

/** Long enough to notice that no other is left, and to create one. */
const ENDING_SECONDS = DAY_SECONDS

type Standing = Pick<AdminKeyRow, 'role' | 'expiresAt' | 'revokedAt'>

function worthOf(key: Standing, now: Date): Worth {
  if (key.role !== 'owner' || key.revokedAt !== null) return 'none'
  if (key.expiresAt === null) return 'lasting'
  if (key.expiresAt <= now) return 'none'
  return key.expiresAt > addSeconds(now, ENDING_SECONDS) ? 'expiring' : 'ending'
}

/**
 * Stops a change that takes from the owners the one they cannot do without.
 * @throws Refusal `conflict` with reason `last_owner`.
 */
export async function keepAnOwner(
  tx: Transaction,
  before: AdminKeyRow,
  after: Standing,
  now: Date,
): Promise<void> {
  const [was, becomes] = [worthOf(before, now), worthOf(after, now)]
  if (rank(becomes) >= rank(was)) return
  const needed = Math.max(rank(was), rank('expiring'))
  const others = await tx
    .select({ role: adminKeys.role, expiresAt: adminKeys.expiresAt, revokedAt: adminKeys.revokedAt })
    .from(adminKeys)
    .where(and(eq(adminKeys.role, 'owner'), ne(adminKeys.id, before.id), isNull(adminKeys.revokedAt)))
  if (others.some((other) => rank(worthOf(other, now)) >= needed)) return
  const what = was === 'lasting' ? 'the last owner key that never expires' : 'the last owner key'
  throw new Refusal('conflict', `This is ${what}; without one nobody could create another.`, {
    facts: { reason: 'last_owner' },
    fix:
      'Create another owner key first, one that never expires, then change this one with it. A key that ends within a ' +
      'day does not stand in for another.',
  })
}
