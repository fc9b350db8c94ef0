// Sends the cache's statements through drizzle, for whoever has no connection of its own to send them on.
import { type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import type { Read } from '../kernel/reference.ts'

/** On the pool, or within the transaction that is under way. */
export const readWith =
  (db: Executor): Read =>
  async <Row extends Record<string, unknown>>(text: string, params: readonly unknown[]) =>
    (await db.execute(statement(text, params))) as unknown[] as Row[]

/** `$1`, `$2`, … become drizzle's own parameters: one that is named twice goes out twice. */
function statement(text: string, params: readonly unknown[]): SQL {
  const parts = text.split(/\$(\d+)/)
  return sql.join(parts.map((part, i) => (i % 2 === 0 ? sql.raw(part) : sql`${params[Number(part) - 1]}`)))
}
