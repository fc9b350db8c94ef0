// A relay as an admin sees it: its row, and the seats that it may give out.
import { eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { RelayAllotmentAnswer, RelayAnswer } from '../../contract/admin-relays.schema.ts'
import type { Executor } from '../../db/client.ts'
import { relays } from '../../db/schema/index.ts'
import { publicId } from '../../platform/ids.ts'
import { parseRfc3339, rfc3339 } from '../../platform/time.ts'
import { notFound } from '../kernel/find-catalog.ts'
import { countedSeats } from '../rights/allotted-seats.ts'

interface AllotmentView {
  licenseId: string
  product: string
  share: number
  seats: number
  expiresAt: string | null
  counted: number
  liveLeases: number
}

export type RelayView = Omit<
  typeof relays.$inferSelect,
  'enrolmentHash' | 'keyHash' | 'lineage' | 'version'
> & { version: string | null; allotments: AllotmentView[] }

const { enrolmentHash: _, keyHash: __, lineage: ___, ...shown } = getTableColumns(relays)

/** The relays that meet the condition, newest first, in one statement. */
export async function viewRelays(
  db: Executor,
  where: SQL | undefined,
  now: Date,
  most: number,
): Promise<RelayView[]> {
  const at = sql`${now.toISOString()}::timestamptz`
  return db
    .select({
      ...shown,
      allotments: sql<AllotmentView[]>`coalesce((
        select jsonb_agg(jsonb_build_object('licenseId', a.license_id, 'product', p.code, 'share', a.share,
          'seats', case when a.expires_at > ${at} then a.seats else 0 end,
          'expiresAt', case when a.expires_at > ${at} then a.expires_at end,
          'counted', ${countedSeats(now)},
          'liveLeases', (select count(*) from relay_leases l where l.relay_id = a.relay_id
            and l.license_id = a.license_id and not l.released and l.expires_at > ${at})) order by a.license_id)
        from relay_allotments a join licenses on licenses.id = a.license_id
          join products p on p.id = licenses.product_id
        where a.relay_id = relays.id), '[]')`,
    })
    .from(relays)
    .where(where)
    .orderBy(sql`${relays.id} desc`)
    .limit(most)
}

/** @throws Refusal `not_found` */
export async function viewRelay(db: Executor, id: string, now: Date): Promise<RelayView> {
  const [found] = await viewRelays(db, eq(relays.id, id), now, 1)
  return found ?? notFound('relay')
}

export const presentRelay = (row: RelayView): RelayAnswer => ({
  id: publicId('rly', row.id),
  customer_id: publicId('cus', row.customerId),
  name: row.name,
  status: row.revokedAt !== null ? 'revoked' : row.enrolledAt === null ? 'pending' : 'enrolled',
  key_prefix: row.keyPrefix,
  public_key: row.publicKey,
  version: row.version,
  created_at: rfc3339(row.createdAt),
  enrolled_at: row.enrolledAt && rfc3339(row.enrolledAt),
  enrolment_expires_at: row.enrolmentExpiresAt && rfc3339(row.enrolmentExpiresAt),
  last_seen_at: row.lastSeenAt && rfc3339(row.lastSeenAt),
  revoked_at: row.revokedAt && rfc3339(row.revokedAt),
  allotments: row.allotments.map(presentAllotment),
})

const presentAllotment = (row: AllotmentView): RelayAllotmentAnswer => ({
  license_id: publicId('lic', row.licenseId),
  product: row.product,
  share: row.share,
  seats: row.seats,
  expires_at: row.expiresAt && rfc3339(parseRfc3339(row.expiresAt)),
  counted_seats: row.counted,
  live_leases: row.liveLeases,
})
