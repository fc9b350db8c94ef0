// Keyset pages: where a page ended, as an opaque cursor, and the link to the one after it. Knows no table.
import { Refusal } from './context.ts'

export interface PageRequest {
  /** 1 to 200. */
  limit: number
  after?: string | undefined
}

export interface Page<Item> {
  items: Item[]
  /** Cursor of the page after this one; null on the last. */
  next: string | null
}

/** The parts that positions are made of: a UUID in lower case, a time since 1970, a name that came from outside. */
export const UUID_PART = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Seconds or milliseconds; these end in 9999, the last year that has a text in RFC 3339. */
export const TIME_PART = /^(?:[0-9]{1,14}|1[0-9]{14}|2[0-4][0-9]{13}|25[0-2][0-9]{12}|253[0-3][0-9]{11})$/
/** Any text that the database takes. */
export const TEXT_PART = /^[^\0\p{Cs}]{0,256}$/u

/** The sort key of a row as an opaque text. */
export function encodeCursor(position: readonly string[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/**
 * The sort key that a cursor holds, each part in the form that is asked for.
 * @throws Refusal `invalid_request` for a text that no page of this list ended with.
 */
export function decodeCursor<const Forms extends readonly RegExp[]>(
  cursor: string,
  ...forms: Forms
): { -readonly [Part in keyof Forms]: string } {
  const position = parse(Buffer.from(cursor, 'base64url').toString())
  const fits =
    Array.isArray(position) &&
    position.length === forms.length &&
    forms.every((form, i) => typeof position[i] === 'string' && form.test(position[i]))
  if (!fits) throw badCursor()
  return position as { -readonly [Part in keyof Forms]: string }
}

/** Cuts the page out of up to `limit + 1` rows: one row too many says that there is a next page. */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  position: (row: Row) => readonly string[],
): Page<Row> {
  const items = rows.slice(0, limit)
  const last = rows.length > limit ? items.at(-1) : undefined
  return { items, next: last === undefined ? null : encodeCursor(position(last)) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const badCursor = () =>
  new Refusal('invalid_request', 'This is not a cursor of this list.', {
    facts: { errors: [{ pointer: '/after', message: 'not a cursor of this list' }] },
    fix: 'Follow the Link header, or leave `after` out to begin with the newest.',
  })
