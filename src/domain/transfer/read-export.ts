// Reads the lines of an export: splits, numbers and checks them. Believes nothing, and knows no database.
import { createHash } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../../license/json.ts'
import { StartError } from '../../platform/start-error.ts'
import { FORMAT, type TransferOptions, tablesOf } from './tables.ts'

/** Bytes. The longest row is a report or an audit entry, far below it. */
const LONGEST_LINE = 16 * 1024 * 1024
const NEWLINE = 10

export interface ExportHeader extends TransferOptions {
  /** Migrations that its database had. */
  schema: number
  tables: { table: string; rows: number; columns: string[] }[]
}

export interface ExportedRow {
  line: number
  table: string
  /** As Postgres wrote it. */
  json: string
}

/** Something is wrong with the file. */
export const wrongLine = (line: number, what: string, fix = 'Nothing was imported. Export again.') =>
  new StartError(`Line ${line}: ${what}.`, fix)

/**
 * First the header, then each row; ends well only after a last line whose count and digest fit, with nothing behind it.
 * @throws StartError with the number of the line.
 */
export async function* readExport(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ header: ExportHeader } | ExportedRow> {
  const hash = createHash('sha256')
  let header: ExportHeader | null = null
  let ended = false
  let rows = 0
  let line = 0
  for await (const bytes of linesOf(chunks)) {
    line += 1
    if (ended) throw wrongLine(line, 'it comes after the last line')
    const text = textOf(bytes, line)
    if (header === null) {
      header = readHeader(text, line)
      yield { header }
    } else if (text.startsWith('{"end":')) {
      checkEnd(text, line, { rows, sha256: hash.copy().digest('hex') })
      ended = true
    } else {
      yield readRow(text, line)
      rows += 1
    }
    if (!ended) hash.update(bytes).update('\n')
  }
  if (!ended) throw wrongLine(line + 1, 'the file ends before its last line: it was cut off')
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    let buffer = Buffer.from(chunk)
    for (let at = buffer.indexOf(NEWLINE); at !== -1; at = buffer.indexOf(NEWLINE)) {
      yield Buffer.concat([...rest, buffer.subarray(0, at)])
      buffer = buffer.subarray(at + 1)
      rest = []
      length = 0
    }
    rest.push(buffer)
    length += buffer.length
    if (length > LONGEST_LINE) throw new StartError('A line is longer than any row.', 'Export again.')
  }
  // What has no end of line was not written to its end.
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Uint8Array, line: number): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw wrongLine(line, 'it is not UTF-8')
  }
}

function objectOf(text: string, line: number): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    if (isJsonObject(value)) return value
  } catch {
    // Told below.
  }
  throw wrongLine(line, 'it is not a JSON object')
}

function readHeader(text: string, line: number): ExportHeader {
  const found = objectOf(text, line)
  const { leasehold_export: format, schema, secrets, reports, tables } = found
  if (typeof format !== 'number' || typeof schema !== 'number') {
    throw wrongLine(line, 'this is no export of Leasehold', 'Name a file that leasehold export wrote.')
  }
  if (format > FORMAT) {
    throw wrongLine(line, `it has format ${format}, and this version knows ${FORMAT}`, UPGRADE)
  }
  const options = { secrets: secrets === true, reports: reports === true }
  const known = tablesOf(options)
  const read = (Array.isArray(tables) ? tables : []).map((entry: unknown) => {
    const { table, rows, columns } = isJsonObject(entry) ? entry : {}
    if (typeof table !== 'string' || typeof rows !== 'number' || !isNames(columns)) {
      throw wrongLine(line, 'a table is not described')
    }
    if (!known.includes(table)) throw wrongLine(line, `this version knows no table ${table}`, UPGRADE)
    return { table, rows, columns }
  })
  return { schema, ...options, tables: read }
}

export const UPGRADE = 'Nothing was imported. Use the version of Leasehold that wrote it, or a newer one.'

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string' && /^[a-z][a-z0-9_]*$/.test(name))

function readRow(text: string, line: number): ExportedRow {
  const [, table = '', json = ''] = /^\{"table":"([a-z_]+)","row":(\{.*\})\}$/s.exec(text) ?? []
  objectOf(text, line)
  if (table === '') throw wrongLine(line, 'it is no row of a table')
  return { line, table, json }
}

function checkEnd(text: string, line: number, counted: { rows: number; sha256: string }): void {
  const { rows, sha256 } = objectOf(text, line)
  if (rows !== counted.rows) {
    throw wrongLine(line, `the file says that it has ${String(rows)} rows, and it has ${counted.rows}`)
  }
  if (sha256 !== counted.sha256) throw wrongLine(line, 'the file was changed after it was written')
}
