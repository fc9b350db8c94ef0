// Answers that are JSON or CSV, whichever the caller's `Accept` prefers. Knows no table.
import type { Context } from './routing.ts'

export type Cell = string | number | null

/**
 * The records as CSV (RFC 4180) with a header line. A text that a spreadsheet would take for a formula gets an
 * apostrophe in front; numbers stay as they are.
 */
export function csvOf(columns: readonly string[], records: readonly (readonly Cell[])[]): string {
  let csv = ''
  for (const record of [columns, ...records]) csv += `${record.map(fieldOf).join(',')}\r\n`
  return csv
}

/** What a spreadsheet calculates, or shows as if it were that: the wide forms too. */
const FORMULA = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/
const TO_QUOTE = /[",\r\n]/

function fieldOf(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const text = FORMULA.test(cell) ? `'${cell}` : cell
  return TO_QUOTE.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Whether CSV is wanted more than JSON (RFC 9110, section 12.5.1). Sets `Vary: Accept` either way. */
export function wantsCsv(c: Context): boolean {
  c.header('Vary', 'Accept', { append: true })
  const accept = c.req.header('Accept') ?? '*/*'
  return quality(accept, 'text', 'csv') > quality(accept, 'application', 'json')
}

/** Sends CSV as a file of that name. */
export function csvAnswer(c: Context, name: string, csv: string) {
  return c.text(csv, 200, {
    'Content-Type': 'text/csv; charset=utf-8; header=present',
    'Content-Disposition': `attachment; filename="${name}.csv"`,
  })
}

/** The weight of the most specific range that covers the type; 0 where none does. */
function quality(accept: string, type: string, subtype: string): number {
  let best = { specific: -1, weight: 0 }
  for (const range of accept.toLowerCase().split(',').slice(0, 32)) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim())
    const specific = [`*/*`, `${type}/*`, `${type}/${subtype}`].indexOf(name)
    if (specific <= best.specific) continue
    const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    const weight = given === undefined ? 1 : Number(given)
    best = { specific, weight: Number.isFinite(weight) ? weight : 0 }
  }
  return best.weight
}
