// One ClickHouse statement that sets the whole TTL of a table. Writes text; runs nothing.

export interface TtlTable {
  /** Its name, with its database before a dot or without. */
  table: string
  /** The column of the row's time: Date, DateTime or DateTime64. */
  time: string
  /** The column that names the scope. */
  scope: string
}

export interface ScopeDays {
  scope: string
  /** Whole days from 0. */
  days: number
}

/**
 * `ALTER TABLE … MODIFY TTL` for all scopes of a table at once, since it replaces what the table had; `REMOVE TTL`
 * where there are none. Names are quoted. @throws TypeError for days that are no whole number from 0, and for names
 * with U+0000
 */
export function clickhouseTtl({ table, time, scope }: TtlTable, rows: readonly ScopeDays[]): string {
  const rules = rows.map(({ scope: value, days }) => {
    if (!Number.isSafeInteger(days) || days < 0)
      throw new TypeError(`${days} is no whole number of days from 0`)
    return `toDateTime(${quoted(time, '`')}) + INTERVAL ${days} DAY DELETE WHERE ${quoted(scope, '`')} = ${quoted(value, "'")}`
  })
  const name = table.split('.').map((part) => quoted(part, '`'))
  const change = rules.length === 0 ? 'REMOVE TTL' : `MODIFY TTL ${rules.join(', ')}`
  return `ALTER TABLE ${name.join('.')} ${change}`
}

/** In ClickHouse a backslash escapes within either kind of quotes. */
function quoted(text: string, quote: '`' | "'"): string {
  if (text === '' || text.includes('\0')) throw new TypeError('a name is empty, or has U+0000 in it')
  return quote + text.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`) + quote
}
