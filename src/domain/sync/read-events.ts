// Reads the numbered events, for all listeners of a process at once, and what it takes to tell whose they are.
import { sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import type { EventRow } from './peer.ts'

/** Events after this number, in order, at most `limit`. One statement. Numbers are in commit order: none comes late. */
export async function readEvents(db: Executor, after: number, limit: number): Promise<EventRow[]> {
  const rows = await db.execute<Omit<EventRow, 'number'> & { number: string }>(sql`
    select e.number, e.type, e.subject, p.code as product, e.license_id as "licenseId",
      e.instance_key as "instanceKey",
      case when e.license_id is not null
        then to_jsonb(array(select l.customer_id from licenses l where l.id = e.license_id))
        else to_jsonb(array(
          select distinct l.customer_id from licenses l where l.id in (
            select a.license_id from activations a where a.instance_key = e.instance_key
            union all
            select i.proven_license_id from instances i where i.instance_key = e.instance_key)))
      end as customers
    from events e left join products p on p.id = e.product_id
    where e.number > ${after}::bigint order by e.number limit ${limit}::int`)
  return rows.map((row) => ({ ...row, number: Number(row.number) }))
}

/** The newest number; 0 where nothing ever happened. */
export async function newestEvent(db: Executor): Promise<number> {
  const [row] = await db.execute<{ number: string | null }>(sql`select max(number) as number from events`)
  return Number(row?.number ?? 0)
}

/** The number that the last `count` events come after. */
export async function numberBefore(db: Executor, count: number): Promise<number> {
  const [row] = await db.execute<{ number: string | null }>(sql`
    select number from events order by number desc offset ${count}::int limit 1`)
  return Number(row?.number ?? 0)
}

/**
 * Whether an event of this number is on record. One that is not was deleted by retention, or belongs to a database
 * that was restored since (T12): what came after it cannot be told.
 */
export async function isOnRecord(db: Executor, number: number): Promise<boolean> {
  const rows = await db.execute(sql`select 1 from events where number = ${number}::bigint`)
  return rows.length > 0
}

/** The instances whose lease of one of these licenses runs, whether or not their seat was ended. */
export async function holdersOf(
  db: Executor,
  licenseIds: readonly string[],
  now: Date,
): Promise<{ instanceKey: string; licenseId: string }[]> {
  return db.execute<{ instanceKey: string; licenseId: string }>(sql`
    select a.instance_key as "instanceKey", a.license_id as "licenseId" from activations a
    where a.license_id in (select value::uuid from jsonb_array_elements_text(${JSON.stringify(licenseIds)}::jsonb))
      and a.lease_ends_at > ${now.toISOString()}::timestamptz`)
}
