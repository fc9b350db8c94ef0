// Sets the indexes of tables aside while they are filled: made at the end, they cost a fraction.
import type postgres from 'postgres'

/** Primary keys and constraints stay; all other indexes are dropped, and made again after the work. */
export async function indexesAside(
  sql: postgres.Sql,
  tables: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const indexes = await sql<{ name: string; definition: string }[]>`
    select c.relname as name, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
    where t.relname in ${sql(tables)} and not i.indisprimary
      and not exists (select 1 from pg_constraint k where k.conindid = i.indexrelid)`
  for (const { name } of indexes) await sql`drop index ${sql(name)}`
  await work()
  for (const { definition } of indexes) await sql.unsafe(definition)
}
