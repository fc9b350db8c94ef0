// Lists, page by page: one page, as many entries as asked for, or all. Never holds more than a page of JSON.
import { isJsonObject } from '../../license/json.ts'
import { type CommandIo, RefusedError, UsageError } from '../command.ts'
import type { AdminClient } from './client.ts'
import type { Row, Verb } from './resource.ts'
import { table } from './show.ts'

const PAGE = 50
const MOST_ON_A_PAGE = 200
/** A table is drawn when its rows are known; longer lists are drawn in parts. */
const ROWS_OF_A_TABLE = 1000

export interface ListOptions {
  all?: boolean | undefined
  limit?: string | undefined
  json?: boolean | undefined
}

/** What is asked for, and how it is shown. */
export interface Listing {
  verb: Verb
  columns: Verb['columns']
  path: string
  query: URLSearchParams
}

export async function printList(
  client: AdminClient,
  { verb, columns, path, query }: Listing,
  options: ListOptions,
  io: CommandIo,
): Promise<void> {
  const wanted = wantedOf(options)
  const printer = options.json ? jsonPrinter(io) : rowPrinter(columns ?? [], io)
  let left = wanted
  let more = true
  query.set('limit', String(Math.min(MOST_ON_A_PAGE, left)))
  for (let next: string | null = `${path}?${query}`; next !== null && left > 0; ) {
    const answer = await client.call({ method: 'GET', path: next })
    const rows = rowsOf(answer.text)
    printer.page(rows, answer.text)
    left -= rows.length
    const size = Math.min(MOST_ON_A_PAGE, left)
    next = verb.list === 'number' ? afterNumber(next, rows, size) : linked(answer.headers, next, size)
    more = next !== null
  }
  printer.end()
  if (more) io.say(`There are more: add --all, or --limit with a larger number.`)
}

function wantedOf({ all, limit }: ListOptions): number {
  if (all && limit !== undefined) throw new UsageError('Give --all or --limit, not both.')
  if (all) return Number.POSITIVE_INFINITY
  if (limit === undefined) return PAGE
  if (!/^[1-9]\d{0,8}$/.test(limit)) throw new UsageError('--limit must be a whole number, 1 or more.')
  return Number(limit)
}

function rowsOf(text: string): Row[] {
  const found: unknown = JSON.parse(text)
  if (Array.isArray(found)) return found.filter(isJsonObject)
  throw new RefusedError(['The server answered with something else than a list.'])
}

/** The page after this one. RFC 8288. Only the query is taken over: the address of the server is ours to say. */
export function linked(headers: Headers, path: string, size: number): string | null {
  const link = /<([^>]+)>;\s*rel="next"/.exec(headers.get('Link') ?? '')?.[1]
  if (link === undefined) return null
  const { searchParams } = new URL(link, 'http://server')
  if (size > 0) searchParams.set('limit', String(size))
  return `${path.split('?', 1)[0]}?${searchParams}`
}

function afterNumber(path: string, rows: readonly Row[], size: number): string | null {
  const last = rows.at(-1)?.number
  const [base = '', search] = path.split('?', 2)
  const query = new URLSearchParams(search)
  if (typeof last !== 'number' || rows.length < Number(query.get('limit'))) return null
  query.set('after', String(last))
  if (size > 0) query.set('limit', String(size))
  return `${base}?${query}`
}

interface Printer {
  page(rows: readonly Row[], text: string): void
  end(): void
}

/** One array, each entry letter by letter as the server wrote it. */
function jsonPrinter(io: CommandIo): Printer {
  let begun = false
  return {
    page(_rows, text) {
      const inner = text.trim().slice(1, -1)
      if (inner.trim() === '') return
      io.out(`${begun ? ',' : '['}${inner}`)
      begun = true
    },
    end: () => io.out(begun ? ']\n' : '[]\n'),
  }
}

function rowPrinter(columns: NonNullable<Verb['columns']>, io: CommandIo): Printer {
  let kept: Row[] = []
  let printed = false
  const flush = () => {
    io.out(table(kept, columns, io))
    printed = true
    kept = []
  }
  return {
    page(rows) {
      kept.push(...rows)
      if (!io.terminal || kept.length >= ROWS_OF_A_TABLE) flush()
    },
    end() {
      if (kept.length > 0) return flush()
      if (!printed && io.terminal) io.say('Nothing found.')
    },
  }
}
