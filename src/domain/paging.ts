// Keyset pages of every list: the cursor's text form, the look-ahead row, and the link to the next page (RFC 8288).
import { Refusal } from './context.ts'
import type { Context } from './routing.ts'

export interface PageRequest {
  /** 1 to 200. */
  limit: number
  /** The cursor of the last entry seen; absent for the first page. */
  after?: string | undefined
}

export interface Page<Row> {
  rows: Row[]
  /** Cursor of the next page, or null on the last one. */
  next: string | null
}

export const CURSOR_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** As Date.toISOString writes it. */
export const CURSOR_INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

/** The values that the list is ordered by, of the last entry on a page. */
export function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/**
 * The values of a cursor, each of the given form; null without a cursor.
 * @throws Refusal `invalid_request` (422) for anything that encodeCursor did not make for this list.
 */
export function decodeCursor<const Forms extends readonly RegExp[]>(
  after: string | undefined,
  ...forms: Forms
): { [Index in keyof Forms]: string } | null {
  if (after === undefined) return null
  const parts = readParts(after)
  const fits =
    parts?.length === forms.length &&
    parts.every((part, at) => typeof part === 'string' && forms[at]?.test(part))
  if (!fits) {
    throw new Refusal('invalid_request', 'The cursor is not one of this list.', {
      facts: { errors: [{ pointer: '/after', message: 'not a cursor of this list' }] },
      fix: 'Follow the link with rel="next" as it was sent, or leave `after` out to begin anew.',
    })
  }
  return parts as { [Index in keyof Forms]: string }
}

function readParts(after: string): unknown[] | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(after, 'base64url').toString())
    return Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

/** Makes a page of at most `limit` rows out of a query that asked for one more. */
export function pageOf<Row>(
  found: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => readonly string[],
): Page<Row> {
  const rows = found.slice(0, limit)
  const last = rows.at(-1)
  return { rows, next: found.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null }
}

/** Sets `Link: <…>; rel="next"`, a relative reference with the request's own query, when there is a next page. */
export function linkNext(c: Context, { next }: { next: string | null }): void {
  if (next === null) return
  const { pathname, searchParams } = new URL(c.req.url)
  searchParams.set('after', next)
  c.header('Link', `<${pathname}?${searchParams}>; rel="next"`)
}
