// Answers for a reader: a table on a terminal, lines with tabs between elsewhere. Colours on a terminal only, and never
// with NO_COLOR. What came from outside is made harmless first.
import Table from 'cli-table3'
import { isJsonObject } from '../../license/json.ts'
import type { CommandIo } from '../command.ts'
import { pairs, printable } from '../table.ts'
import type { Column, Row } from './resource.ts'

const RED = 31
const GREEN = 32
const YELLOW = 33
const BOLD = 1

/** Words that a reader looks for in a table. */
const COLOURS: Readonly<Record<string, number>> = {
  active: GREEN,
  enrolled: GREEN,
  suspended: YELLOW,
  retiring: YELLOW,
  downgrade: YELLOW,
  medium: YELLOW,
  stale: YELLOW,
  revoked: RED,
  expired: RED,
  kill: RED,
  high: RED,
}

/** https://no-color.org: any value that is not empty. */
const coloured = ({ terminal, env }: CommandIo): boolean => terminal && !env.NO_COLOR && env.TERM !== 'dumb'

const paint = (text: string, code: number | undefined): string =>
  code === undefined ? text : `\u001b[${code}m${text}\u001b[0m`

/** Prints the rows; `begun` says that a first part of the same list was printed before. */
export function table(rows: readonly Row[], columns: readonly Column[], io: CommandIo): string {
  const cells = rows.map((row) => columns.map(({ of }) => printable(cellOf(of(row)))))
  if (!io.terminal) return cells.map((line) => `${line.join('\t')}\n`).join('')
  const colours = coloured(io)
  const head = columns.map(({ title }) => (colours ? paint(title, BOLD) : title))
  const drawn = new Table({ head, style: { head: [], border: [], compact: true } })
  for (const line of cells) drawn.push(colours ? line.map((cell) => paint(cell, COLOURS[cell])) : line)
  return `${drawn.toString()}\n`
}

/** Every member of one thing, those within it too, in lines: a box would be wider than any terminal. */
export function details(answer: Row, io: CommandIo): string {
  return pairs(flat(answer), { ...io, terminal: false })
}

function flat(value: Row, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, member]): [string, string][] => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const isDeep = isJsonObject(member) && Object.keys(member).length > 0 && prefix.split('.').length < 2
    return isDeep ? flat(member, path) : [[path, cellOf(member)]]
  })
}

/** A dash for nothing: an empty cell would move the others where tabs are counted. */
export function cellOf(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-'
  if (value === true) return 'yes'
  if (value === false) return 'no'
  if (Array.isArray(value)) {
    if (value.length === 0) return '-'
    return value.every((item) => typeof item !== 'object') ? value.join(', ') : JSON.stringify(value)
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value)
    if (entries.length === 0) return '-'
    return entries.every(([, member]) => typeof member === 'number')
      ? entries.map(([name, member]) => `${name} ${member}`).join(', ')
      : JSON.stringify(value)
  }
  return String(value)
}
