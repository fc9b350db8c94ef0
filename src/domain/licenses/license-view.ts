// A license as an admin sees it: its own row, what its tier gives, and how many seats are held now.
import { and, eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { customers, licenses, products, tiers } from '../../db/schema/index.ts'
import { notFound } from '../kernel/find-catalog.ts'
import { countedSeats } from '../rights/allotted-seats.ts'
import { seatsInUse } from '../rights/seats-in-use.ts'

export type LicenseRow = typeof licenses.$inferSelect
export type LicenseView = Awaited<ReturnType<typeof viewLicenses>>[number]

/** The licenses that meet the condition, newest first; `now` decides which seats are live. */
export function viewLicenses(db: Executor, where: SQL | undefined, now: Date, most: number) {
  return db
    .select({
      ...getTableColumns(licenses),
      productCode: products.code,
      tier: {
        code: tiers.code,
        features: tiers.features,
        limits: tiers.limits,
        graceDays: tiers.graceDays,
        seatLimit: tiers.seatLimit,
      },
      customerName: customers.name,
      company: customers.company,
      seatsInUse: seatsInUse(now),
      seatsAllotted: sql<number>`(
        select coalesce(sum(${countedSeats(now)}), 0)::int from relay_allotments a
        where a.license_id = ${licenses.id})`,
    })
    .from(licenses)
    .innerJoin(products, eq(products.id, licenses.productId))
    .innerJoin(tiers, and(eq(tiers.id, licenses.tierId), eq(tiers.productId, licenses.productId)))
    .innerJoin(customers, eq(customers.id, licenses.customerId))
    .where(where)
    .orderBy(sql`${licenses.id} desc`)
    .limit(most)
}

/** @throws Refusal `not_found` */
export async function viewLicense(db: Executor, id: string, now: Date): Promise<LicenseView> {
  const [found] = await viewLicenses(db, eq(licenses.id, id), now, 1)
  return found ?? notFound('license')
}
