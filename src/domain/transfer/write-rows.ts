// Writes the rows of an export, many at a time. Finds the one row of a batch that the database refuses.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { driverError, isDatabaseUnavailable } from '../../db/errors.ts'
import { ensurePartitions } from '../../db/partitions.ts'
import { parseRfc3339 } from '../../platform/time.ts'
import { type ExportedRow, type ExportHeader, wrongLine } from './read-export.ts'

const ROWS_AT_ONCE = 500
const CHARACTERS_AT_ONCE = 1_000_000

interface RowWriter {
  /** @throws StartError with the number of the line. */
  add(row: ExportedRow): Promise<void>
  /** Writes what is left; resolves to the number of rows. @throws StartError where rows are missing. */
  end(): Promise<number>
}

export function rowWriter(
  tx: Transaction,
  { tables }: ExportHeader,
  progress: (done: number) => void,
): RowWriter {
  const days = new Set<string>()
  const counts = new Map<string, number>()
  let batch: ExportedRow[] = []
  let size = 0
  let at = 0
  let done = 0

  const flush = async () => {
    const [first] = batch
    if (!first) return
    const columns = tables[at]?.columns ?? []
    if (first.table === 'reports') await makeDays(tx, batch, days)
    await insertAll(tx, first.table, columns, batch)
    done += batch.length
    progress(done)
    batch = []
    size = 0
  }

  return {
    async add(row) {
      if (row.table !== tables[at]?.table) {
        await flush()
        at = tables.findIndex(({ table }, i) => i >= at && table === row.table)
        if (at === -1) throw wrongLine(row.line, `rows of ${row.table} are not expected here`)
      }
      batch.push(row)
      size += row.json.length
      counts.set(row.table, (counts.get(row.table) ?? 0) + 1)
      if (batch.length >= ROWS_AT_ONCE || size >= CHARACTERS_AT_ONCE) await flush()
    },
    async end() {
      await flush()
      const short = tables.find(({ table, rows }) => (counts.get(table) ?? 0) !== rows)
      if (short) throw wrongLine(1, `it announces ${short.rows} rows of ${short.table}, and others came`)
      return done
    },
  }
}

async function insertAll(
  tx: Transaction,
  table: string,
  columns: readonly string[],
  rows: readonly ExportedRow[],
): Promise<void> {
  try {
    await tx.transaction((inner) => insert(inner, table, columns, rows))
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error
    if (rows.length > 1) {
      // The same rows one by one: the first that fails is the one.
      for (const row of rows) await insertAll(tx, table, columns, [row])
    }
    const found = driverError(error)
    const why = found?.constraint ? `${found.code}, ${found.constraint}` : found?.code
    throw wrongLine(rows[0]?.line ?? 0, `the database refuses this row of ${table} (SQLSTATE ${why})`)
  }
}

async function insert(
  tx: Transaction,
  table: string,
  columns: readonly string[],
  rows: readonly ExportedRow[],
): Promise<void> {
  const into = sql.identifier(table)
  const list = sql.join(
    columns.map((column) => sql.identifier(column)),
    sql`, `,
  )
  const values = `[${rows.map(({ json }) => json).join(',')}]`
  await tx.execute(
    sql`insert into ${into} (${list}) select ${list} from json_populate_recordset(null::${into}, ${values}::text::json)`,
  )
}

/** A report is filed under the day that it was received on; that day's table may be long gone here. */
async function makeDays(tx: Transaction, rows: readonly ExportedRow[], made: Set<string>): Promise<void> {
  for (const { json, line } of rows) {
    const { received_on: day } = JSON.parse(json) as { received_on?: unknown }
    if (typeof day !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(day)) {
      throw wrongLine(line, 'a report has no day')
    }
    if (made.has(day)) continue
    await ensurePartitions(tx, parseRfc3339(`${day}T00:00:00Z`))
    made.add(day)
  }
}
