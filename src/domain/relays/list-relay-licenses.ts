// What a relay is told of its customer's licenses. Unsigned, so nothing of it is a right (T1).
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import type { RelayLicense } from '../../contract/relay-api.ts'
import { customers, licenses, products, relayAllotments, tiers } from '../../db/schema/index.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { decodeCursor, type Page, type PageRequest, pageOf, UUID_PART } from '../kernel/paging.ts'
import { licensedRights } from '../rights/granted-rights.ts'
import { licenseColumns } from '../rights/license-facts.ts'
import { standingOf } from '../rights/license-standing.ts'
import { authenticateRelay } from './authenticate-relay.ts'

/** Newest first. @throws Refusal 401 about the relay key. */
export async function listRelayLicenses(
  ctx: Ctx,
  bearer: Bearer,
  { limit, after }: PageRequest,
): Promise<Page<RelayLicense>> {
  const relay = await authenticateRelay(ctx, bearer)
  const now = ctx.clock.now()
  const rows = await ctx.db
    .select({
      ...licenseColumns,
      fingerprint: licenses.fingerprint,
      share: sql<number>`coalesce(${relayAllotments.share}, 0)`,
      seq: relayAllotments.seq,
      seats: relayAllotments.seats,
      allotmentEnd: relayAllotments.expiresAt,
    })
    .from(licenses)
    .innerJoin(products, eq(products.id, licenses.productId))
    .innerJoin(tiers, eq(tiers.id, licenses.tierId))
    .innerJoin(customers, eq(customers.id, licenses.customerId))
    .leftJoin(
      relayAllotments,
      and(eq(relayAllotments.licenseId, licenses.id), eq(relayAllotments.relayId, relay.id)),
    )
    .where(
      and(
        eq(licenses.customerId, relay.customerId),
        after === undefined ? undefined : lt(licenses.id, decodeCursor(after, UUID_PART)[0]),
      ),
    )
    .orderBy(desc(licenses.id))
    .limit(limit + 1)
  const page = pageOf(rows, limit, ({ id }) => [id])
  return { next: page.next, items: page.items.map((row) => present(row, now)) }
}

type Row = Parameters<typeof licensedRights>[0] &
  Parameters<typeof standingOf>[0] & {
    id: string
    productCode: string
    company: string
    customerName: string
    isTrial: boolean
    fingerprint: string | null
    issuedAt: Date
    seatLimit: number | null
    share: number
    seq: number | null
    seats: number | null
    allotmentEnd: Date | null
  }

function present(row: Row, now: Date): RelayLicense {
  const standing = standingOf(row, 0, now)
  const { tier, features, limits } = licensedRights(row)
  const { seq, seats, allotmentEnd } = row
  return {
    license_id: publicId('lic', row.id),
    product: row.productCode,
    tier,
    features,
    limits,
    status: standing.status,
    reason: standing.inForce ? null : standing.reason,
    organization_name: row.company || row.customerName,
    is_trial: row.isTrial,
    fingerprint: row.fingerprint,
    issued_at: rfc3339(row.issuedAt),
    expires_at: row.expiresAt && rfc3339(row.expiresAt),
    grace_days: row.graceDays,
    seat_limit: row.seatLimit,
    share: row.share,
    allotment:
      seq !== null && seats !== null && allotmentEnd !== null && allotmentEnd > now
        ? { seq, seats, expires_at: rfc3339(allotmentEnd) }
        : null,
  }
}
