// An answer in pages that is more than a list, such as a series: fetched to its end, and shown as one.
import { isJsonObject } from '../../license/json.ts'
import { type CommandIo, RefusedError } from '../command.ts'
import type { AdminClient } from './client.ts'
import { type Listing, linked } from './list.ts'
import type { Row, Verb } from './resource.ts'
import { table } from './show.ts'

/** The most that the server gives at once. */
const ROWS_OF_A_PAGE = 10_000

export async function printPages(
  client: AdminClient,
  { verb, columns, path, query }: Listing,
  { json, csv }: { json: boolean; csv: boolean },
  io: CommandIo,
): Promise<void> {
  query.set('limit', String(ROWS_OF_A_PAGE))
  const printer = csv ? csvPrinter(io) : json ? jsonPrinter(io) : rowPrinter(verb, columns ?? [], io)
  for (let next: string | null = `${path}?${query}`; next !== null; ) {
    const accept = csv ? 'text/csv' : undefined
    const answer = await client.call({ method: 'GET', path: next, ...(accept ? { accept } : {}) })
    printer.page(answer.text)
    next = linked(answer.headers, next, ROWS_OF_A_PAGE)
  }
  printer.end()
}

interface Printer {
  page(text: string): void
  end(): void
}

/** One header line, whatever the number of pages. */
function csvPrinter(io: CommandIo): Printer {
  let begun = false
  return {
    page(text) {
      io.out(begun ? text.slice(text.indexOf('\n') + 1) : text)
      begun = true
    },
    end: () => {},
  }
}

/** A single page letter by letter as the server wrote it; of several, the last with the rows of all. */
function jsonPrinter(io: CommandIo): Printer {
  const rows: unknown[] = []
  let pages = 0
  let last = ''
  return {
    page(text) {
      const found = objectOf(text).rows
      if (Array.isArray(found)) for (const row of found) rows.push(row)
      pages += 1
      last = text
    },
    end: () => io.out(`${pages === 1 ? last.trimEnd() : JSON.stringify({ ...objectOf(last), rows })}\n`),
  }
}

function rowPrinter(verb: Verb, columns: NonNullable<Verb['columns']>, io: CommandIo): Printer {
  let found = 0
  return {
    page(text) {
      const rows = verb.rows?.(objectOf(text)) ?? []
      found += rows.length
      if (rows.length > 0) io.out(table(rows, columns, io))
    },
    end() {
      if (found === 0 && io.terminal) io.say('Nothing found.')
    },
  }
}

function objectOf(text: string): Row {
  const answer: unknown = JSON.parse(text)
  if (isJsonObject(answer)) return answer
  throw new RefusedError(['The server answered with something else than an object.'])
}
