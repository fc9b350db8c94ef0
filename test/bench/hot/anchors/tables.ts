// The tables of the hand-written anchors, filled with as many instances as the server has.
import postgres from 'postgres'

/** Makes them anew in the database at `url`. The instances are those whose ids `prefix` begins. */
export async function makeAnchorTables(url: string, prefix: string, instances: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql`create table fleet (instance_id text primary key, tier text, action text not null,
      metrics jsonb not null, first_seen_at timestamptz not null, last_seen_at timestamptz not null)`
    await sql`create table reports (id uuid primary key, instance_id text not null, boot_id uuid, seq bigint,
      received_at timestamptz not null, metrics jsonb not null)`
    await sql`
      insert into fleet select ${prefix} || i, 'pro', 'none', '{}', now(), now() - interval '6 hours'
      from generate_series(0, ${instances}::int - 1) i`
    await sql`vacuum (freeze, analyze) fleet`
  } finally {
    await sql.end({ timeout: 5 })
  }
}
