// The last-owner rule: there is always an owner key that never expires, or at least one that lives. Without one nobody
// could create another over the API.
import { and, eq, isNull, ne, sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { adminKeys } from '../../db/schema/index.ts'
import { Refusal } from '../context.ts'
import type { AdminKeyRow } from './create-admin-key.ts'

const OWNER_KEYS_LOCK = 5_027_030

/** Until commit: of many changes of owner keys at once, each sees what the one before it left. Take it first. */
export async function lockOwnerKeys(tx: Transaction): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${OWNER_KEYS_LOCK})`)
}

type Worth = 'lasting' | 'expiring' | 'none'
const ORDER: readonly Worth[] = ['none', 'expiring', 'lasting']

type Standing = Pick<AdminKeyRow, 'role' | 'expiresAt' | 'revokedAt'>

function worthOf(key: Standing, now: Date): Worth {
  if (key.role !== 'owner' || key.revokedAt !== null) return 'none'
  if (key.expiresAt === null) return 'lasting'
  return key.expiresAt > now ? 'expiring' : 'none'
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
  if (ORDER.indexOf(becomes) >= ORDER.indexOf(was)) return
  const others = await tx
    .select({ role: adminKeys.role, expiresAt: adminKeys.expiresAt, revokedAt: adminKeys.revokedAt })
    .from(adminKeys)
    .where(and(eq(adminKeys.role, 'owner'), ne(adminKeys.id, before.id), isNull(adminKeys.revokedAt)))
  if (others.some((other) => ORDER.indexOf(worthOf(other, now)) >= ORDER.indexOf(was))) return
  const what = was === 'lasting' ? 'the last owner key that never expires' : 'the last owner key'
  throw new Refusal('conflict', `This is ${what}; without one nobody could create another.`, {
    facts: { reason: 'last_owner' },
    fix: 'Create another owner key first, one that never expires, then change this one with it.',
  })
}
