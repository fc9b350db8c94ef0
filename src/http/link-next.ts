// The `Link` header that names the next page of a list (RFC 8288). Reads no row.
import type { Page } from '../domain/kernel/paging.ts'
import type { Context } from './routing.ts'

/**
 * Sets `Link: <…>; rel="next"` (RFC 8288), the request's own query with the cursor in it, and `pinned`: what the first
 * page took from the clock. Returns the path that it names.
 */
export function linkNext(
  c: Context,
  { next }: Pick<Page<unknown>, 'next'>,
  pinned: Readonly<Record<string, string>> = {},
): string | null {
  if (next === null) return null
  const url = new URL(c.req.url)
  for (const [name, value] of Object.entries({ ...pinned, after: next })) url.searchParams.set(name, value)
  const path = `${url.pathname}${url.search}`
  c.header('Link', `<${path}>; rel="next"`)
  return path
}
