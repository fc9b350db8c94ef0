// Who is behind a relay key. Every request asks the database: a revoked key is dead at once, on every process.
import { eq } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { licenses, products, relays } from '../../db/schema/index.ts'
import { wellFormed } from '../../platform/credentials.ts'
import { rfc3339 } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'

export type RelayRow = typeof relays.$inferSelect

/**
 * The relay whose key this is. @throws Refusal 401 `relay_key_unknown` (without a query when the credential is of
 * another kind or mistyped), `relay_key_revoked`.
 */
export async function findRelay(
  db: Executor,
  ctx: Pick<Ctx, 'pepper' | 'credentialAccepted'>,
  bearer: Bearer,
): Promise<RelayRow & { keyHash: string }> {
  if (bearer.kind !== 'relay_key' || !wellFormed('relay_key', bearer.text)) throw unknownRelayKey()
  const keyHash = hashCredential(ctx, 'relay_key', bearer.text)
  const [row] = await db.select().from(relays).where(eq(relays.keyHash, keyHash))
  if (!row) throw unknownRelayKey()
  if (row.revokedAt !== null) {
    throw new Refusal('relay_key_revoked', `This relay was revoked at ${rfc3339(row.revokedAt)}.`, {
      facts: { revoked_at: rfc3339(row.revokedAt) },
      fix: 'Ask your vendor for a new relay and its enrolment code.',
    })
  }
  ctx.credentialAccepted?.()
  return { ...row, keyHash }
}

/** Codes of the products that the customer has licenses of, sorted. */
export async function productsOfCustomer(db: Executor, customerId: string): Promise<string[]> {
  const rows = await db
    .selectDistinct({ code: products.code })
    .from(licenses)
    .innerJoin(products, eq(products.id, licenses.productId))
    .where(eq(licenses.customerId, customerId))
    .orderBy(products.code)
  return rows.map((row) => row.code)
}

export const unknownRelayKey = () =>
  new Refusal('relay_key_unknown', 'This relay key is not known.', {
    fix: 'Check that the whole key was copied. A relay that was enrolled again has a new key.',
  })
