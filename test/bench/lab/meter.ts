// What a stretch of work costs beside time: processor, statements and write-ahead log.
import type { BenchDatabase } from './database.ts'
import { processorMs } from './processor-time.ts'

export interface Cost {
  nodeMs: number
  postgresMs: number
  statements: number
  walBytes: number
}

/** Starts measuring; the function that it returns tells what was used since. `database` names whose statements count. */
export async function meter(
  { control, postmaster }: Pick<BenchDatabase, 'control' | 'postmaster'>,
  pids: readonly number[],
  database: string,
): Promise<() => Promise<Cost>> {
  const read = async () => {
    const [row] = await control<{ calls: string; wal: string }[]>`
      select (select coalesce(sum(s.calls), 0) from pg_stat_statements s
          join pg_database d on d.oid = s.dbid where d.datname = ${database})::text as calls,
        pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text as wal`
    return {
      nodeMs: pids.reduce((sum, pid) => sum + processorMs(pid), 0),
      postgresMs: processorMs(postmaster),
      statements: Number(row?.calls),
      walBytes: Number(row?.wal),
    }
  }
  const before = await read()
  return async () => {
    const after = await read()
    return {
      nodeMs: after.nodeMs - before.nodeMs,
      postgresMs: after.postgresMs - before.postgresMs,
      statements: after.statements - before.statements,
      walBytes: after.walBytes - before.walBytes,
    }
  }
}
