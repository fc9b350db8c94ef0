// A list of tenants, read row by row: what is wrong with one row keeps no other from being minted. Writes no file.
import { parse } from 'csv-parse/sync'
import { StartError } from '../../platform/start-error.ts'
import { type GivenTerms, LIMIT_COLUMN, TERM_NAMES, type TermName } from './terms.ts'

export interface TenantRow {
  /** In the file, from 1. */
  line: number
  terms: GivenTerms
}

export interface BadRow {
  line: number
  error: string
}

/**
 * The rows of a CSV file (RFC 4180) with a header; a row is one line, so that a quote left open costs that row alone.
 * An empty cell takes what the options say for all. @throws StartError when the header is wrong: then every row is
 */
export function readTenants(
  csv: string,
  file: string,
  forAll: GivenTerms,
): { rows: TenantRow[]; bad: BadRow[] } {
  const [first = '', ...lines] = csv.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  const header = checkedHeader(cellsOf(first) ?? [], file)
  const rows: TenantRow[] = []
  const bad: BadRow[] = []
  for (const [i, text] of lines.entries()) {
    const line = i + 2
    if (text.trim() === '') continue
    const cells = cellsOf(text)
    if (!cells)
      bad.push({ line, error: 'is not readable as CSV: a quote stands where none may, or is not closed' })
    else if (cells.length !== header.length) {
      bad.push({ line, error: `has ${cells.length} columns, the first line ${header.length}` })
    } else rows.push({ line, terms: termsOf(header, cells, forAll) })
  }
  return { rows, bad }
}

/** The cells of one line; null where it is no CSV. */
function cellsOf(line: string): string[] | null {
  try {
    return parse(line, { trim: true })[0] ?? []
  } catch {
    return null
  }
}

function checkedHeader(names: string[], file: string): string[] {
  const wrong = (what: string) =>
    new StartError(
      `${file}: ${what}.`,
      `The first line names the columns: ${TERM_NAMES.join(', ')} and any limit as max_….`,
    )
  const known = (name: string) => TERM_NAMES.some((term) => term === name) || LIMIT_COLUMN.test(name)
  const unknown = names.filter((name) => !known(name))
  if (unknown.length > 0) throw wrong(`no column is called ${unknown.join(', ')}`)
  if (new Set(names).size !== names.length) throw wrong('a column stands there twice')
  if (!names.includes('tenant')) throw wrong('the column tenant is missing')
  return names
}

function termsOf(header: readonly string[], cells: readonly string[], forAll: GivenTerms): GivenTerms {
  const terms: GivenTerms = { ...forAll }
  const limits: Record<string, string> = { ...forAll.limits }
  for (const [i, name] of header.entries()) {
    const value = cells[i] ?? ''
    if (value === '') continue
    if (LIMIT_COLUMN.test(name)) limits[name] = value
    else terms[name as TermName] = value
  }
  return { ...terms, limits }
}
