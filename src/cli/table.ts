// Rows for a reader: a table on a terminal, plain lines elsewhere. What comes from a token is made harmless first.
import Table from 'cli-table3'
import type { CommandIo } from './command.ts'

/** Controls and invisible marks, which could rewrite what a terminal shows, as their code points. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}

/** Name and value, one pair a row. */
export function pairs(rows: readonly (readonly [string, string])[], { terminal }: CommandIo): string {
  const shown = rows.map(([name, value]): [string, string] => [name, printable(value)])
  if (!terminal) {
    const width = Math.max(0, ...shown.map(([name]) => name.length))
    return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
  }
  const table = new Table({ style: { head: [], border: [] } })
  table.push(...shown)
  return `${table.toString()}\n`
}
