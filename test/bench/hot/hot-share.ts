// How many updates stay within their page (HOT) when every instance is heard once in six hours: all instances send one
// full report, time passes, tables are packed, and a second round is counted.
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import { inParallel } from '../fleet/admin.ts'
import { tell } from '../lab/numbers.ts'
import { newStreams } from './bodies.ts'
import type { Lab } from './lab.ts'
import { send } from './lonely.ts'
import { fullRound } from './own-rows.ts'
import type { Share } from './ratios.ts'

const TABLES = ['instances', 'report_streams', 'activations'] as const
const WANTED = 0.95
/** An idle backend hands in what it counted after ten seconds at the latest. */
const HANDED_IN_MS = 11_000
const CONNECTIONS = 32

export interface HotShares {
  shares: Share[]
  /** Updates of each table in the counted rounds, for a human. */
  notes: string[]
}

export async function measureHotShares({ database, fleet, programs }: Lab): Promise<HotShares> {
  const { sql } = database
  const { own } = programs
  const found: HotShares = { shares: [], notes: [] }
  own.resume()
  tell('six hours between heartbeats')
  const streams = newStreams()
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const round = async (kind: 'heartbeat' | 'refresh'): Promise<number> => {
    const requests = fullRound(fleet, streams, kind)
    const statuses = await inParallel(requests.length, CONNECTIONS, async (i) => {
      const request = requests[i]
      return request ? (await send(agent, own, request)).status : 0
    })
    return statuses.filter((status) => status === 200).length
  }
  await fillLineage(sql)
  for (const kind of ['heartbeat', 'refresh'] as const) {
    tell(`${kind}: the round before`)
    await round(kind)
    await letTimePass(sql)
    await sleep(HANDED_IN_MS)
    const before = await updates(sql)
    tell(`${kind}: the counted round`)
    const answers = await round(kind)
    await sleep(HANDED_IN_MS)
    const after = await updates(sql)
    for (const table of TABLES) {
      const all = (after.get(table)?.all ?? 0) - (before.get(table)?.all ?? 0)
      const hot = (after.get(table)?.hot ?? 0) - (before.get(table)?.hot ?? 0)
      found.notes.push(`${kind}: ${answers} answers, ${all} updates of ${table}, ${hot} HOT`)
      if (all > answers / 10)
        found.shares.push({ text: `HOT, ${kind}, ${table}`, value: hot / all, atLeast: WANTED })
    }
  }
  agent.destroy()
  return found
}

/** Eight branches in every refresh chain: as many as are kept. The one in use stays. */
async function fillLineage(sql: postgres.Sql): Promise<void> {
  await sql`
    update instances set lineage = jsonb_set(lineage, '{branches}', (lineage->'branches') || (
      select jsonb_agg(jsonb_build_object('id', n, 'n', 1000 + n,
        'refresh_id_hash', encode(sha256(convert_to(n || instance_id, 'UTF8')), 'hex'),
        'used_at', (extract(epoch from now()) * 1000)::bigint - n * 3600000, 'returns', '[]'::jsonb))
      from generate_series(1, 8 - jsonb_array_length(lineage->'branches')) n))
    where jsonb_array_length(lineage->'branches') < 8`
}

/** Puts every time of these tables back by six hours, and packs them as an insert would have. */
async function letTimePass(sql: postgres.Sql): Promise<void> {
  for (const table of TABLES) {
    const times = await sql<{ name: string }[]>`
      select column_name as name from information_schema.columns
      where table_schema = current_schema() and table_name = ${table} and is_generated = 'NEVER'
        and data_type = 'timestamp with time zone'`
    const back = times.map(({ name }) => `${name} = ${name} - interval '6 hours'`)
    if (back.length > 0) await sql.unsafe(`update ${table} set ${back.join(', ')}`)
    await sql.unsafe(`vacuum (full, analyze) ${table}`)
  }
  await sql`checkpoint`
}

/** Partitions count as the table that they are parts of. */
async function updates(sql: postgres.Sql): Promise<Map<string, { all: number; hot: number }>> {
  const rows = await sql<{ name: string; all: string; hot: string }[]>`
    select coalesce(parent.relname, s.relname) as name, sum(s.n_tup_upd)::text as all,
      sum(s.n_tup_hot_upd)::text as hot
    from pg_stat_user_tables s
    left join pg_inherits i on i.inhrelid = s.relid
    left join pg_class parent on parent.oid = i.inhparent
    group by 1`
  return new Map(rows.map(({ name, all, hot }) => [name, { all: Number(all), hot: Number(hot) }]))
}
