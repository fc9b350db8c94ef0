// How many bytes an instance and a report take, indexes included.
import { columns, figure } from '../lab/numbers.ts'
import type { ScaleFleet } from './fleet.ts'

/** Tables that hold a row for each instance, or for each that reported. */
const BESIDE = ['instances', 'activations', 'report_streams']

export async function sizes({ sql }: ScaleFleet): Promise<string> {
  await sql`vacuum (analyze)`
  const rows = await sql<{ name: string; bytes: string; rows: string }[]>`
    select coalesce(p.relname, c.relname) as name, sum(pg_total_relation_size(c.oid))::text as bytes,
      sum(greatest(c.reltuples, 0))::bigint::text as rows
    from pg_class c
    left join pg_inherits i on i.inhrelid = c.oid
    left join pg_class p on p.oid = i.inhparent
    where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
    group by 1 having sum(greatest(c.reltuples, 0)) > 0 order by sum(pg_total_relation_size(c.oid)) desc`
  const wanted = rows.filter(({ name }) => BESIDE.includes(name) || name === 'reports')
  return columns([
    ['Sizes, indexes included', 'rows', 'bytes a row', 'MB'],
    ...wanted.map(({ name, bytes, rows: count }) => [
      name,
      Number(count).toLocaleString('en-US'),
      figure(Number(bytes) / Number(count)),
      figure(Number(bytes) / 1e6),
    ]),
  ])
}
