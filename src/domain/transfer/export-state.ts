// The whole state as lines of JSON: a header, one line a row, and a last line that proves that it is whole. Reads one
// snapshot, through a cursor, and writes nothing. Only for whoever runs the server.
import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { Database, Transaction } from '../../db/client.ts'
import { FORMAT, shapesOf, type TableShape, type TransferOptions, takeTime } from './tables.ts'

const ROWS_AT_ONCE = 1000

export interface ExportSink {
  /** Resolves when more can be taken. */
  write(text: string): Promise<void>
  progress(done: number, total: number): void
}

/**
 * The same state gives the same bytes: nothing in it tells when or by whom it was written. Servers may go on meanwhile.
 * Resolves to the number of rows.
 */
export function exportState(db: Database, options: TransferOptions, sink: ExportSink): Promise<number> {
  return db.transaction(
    async (tx) => {
      await takeTime(tx)
      const shapes = await shapesOf(tx, options)
      const counts: number[] = []
      for (const shape of shapes) counts.push(await countOf(tx, shape))
      const total = counts.reduce((sum, rows) => sum + rows, 0)
      const hash = createHash('sha256')
      const write = (text: string) => {
        hash.update(text)
        return sink.write(text)
      }
      await write(`${JSON.stringify(await headerOf(tx, options, shapes, counts))}\n`)
      let done = 0
      for (const shape of shapes) {
        await eachLine(tx, shape, async (lines) => {
          await write(lines.map((line) => `{"table":"${shape.name}","row":${line}}\n`).join(''))
          done += lines.length
          sink.progress(done, total)
        })
      }
      await sink.write(`${JSON.stringify({ end: true, rows: done, sha256: hash.digest('hex') })}\n`)
      return done
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  )
}

async function headerOf(
  tx: Transaction,
  { secrets, reports }: TransferOptions,
  shapes: readonly TableShape[],
  counts: readonly number[],
) {
  const [found] = await tx.execute<{ schema: number; as_of: string | null }>(sql`
    select (select count(*)::int from drizzle.__drizzle_migrations) as schema,
      to_json((select max(at) from events)) #>> '{}' as as_of`)
  return {
    leasehold_export: FORMAT,
    schema: found?.schema ?? 0,
    as_of: found?.as_of ?? null,
    secrets,
    reports,
    tables: shapes.map(({ name, columns }, i) => ({ table: name, rows: counts[i], columns })),
  }
}

async function countOf(tx: Transaction, { name, only }: TableShape): Promise<number> {
  const [found] = await tx.execute<{ rows: string }>(
    sql.raw(`select count(*) as rows from "${name}" ${only}`),
  )
  return Number(found?.rows)
}

/** Rows as Postgres itself writes them: its numbers are larger than JavaScript's. */
async function eachLine(
  tx: Transaction,
  { name, columns, only, order }: TableShape,
  take: (lines: string[]) => Promise<void>,
): Promise<void> {
  const list = columns.map((column) => `"${column}"`).join(', ')
  await tx.execute(
    sql.raw(
      `declare exported no scroll cursor for select row_to_json(t)::text as line from (select ${list} from "${name}" ${only} order by ${order}) t`,
    ),
  )
  for (;;) {
    const rows = await tx.execute<{ line: string }>(sql.raw(`fetch ${ROWS_AT_ONCE} from exported`))
    if (rows.length === 0) break
    await take(rows.map(({ line }) => line))
  }
  await tx.execute(sql`close exported`)
}
