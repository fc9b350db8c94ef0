// The vendor's own Postgres client, postgres.js or pg, met by shape. Brings none, and opens no connection of its own.

/** Runs one statement with `$1`, `$2`, … and returns its rows. */
export type Query = (
  text: string,
  values?: readonly (string | number | null)[],
) => Promise<Record<string, unknown>[]>

/** postgres.js: what `postgres(url)` returns. */
interface PostgresJs extends PostgresJsTransaction {
  begin(work: (tx: PostgresJsTransaction) => Promise<unknown>): Promise<unknown>
}

interface PostgresJsTransaction {
  unsafe(text: string, values?: never[]): PromiseLike<Iterable<object>>
}

/** pg: a `Client` or a client of a `Pool`. */
interface PgClient {
  query(text: string, values?: never[]): Promise<{ rows: unknown[] }>
}

/** pg: a `Pool`. */
interface PgPool extends PgClient {
  connect(): Promise<PgClient & { release(failed?: boolean): void }>
  readonly totalCount: number
}

export type PostgresClient = PostgresJs | PgClient | PgPool

/** @internal */
export function queryOver(client: PostgresClient | PostgresJsTransaction): Query {
  // Both take any list of values; their types say so in ways of their own.
  if ('unsafe' in client)
    return async (text, values = []) =>
      [...(await client.unsafe(text, [...values] as never[]))] as Record<string, unknown>[]
  return async (text, values = []) =>
    (await client.query(text, [...values] as never[])).rows as Record<string, unknown>[]
}

/** Runs work on one connection. In a transaction, but on a single pg client, which others may be using meanwhile. @internal */
export async function onOneConnection<T>(
  client: PostgresClient,
  work: (query: Query, scope: 'transaction' | 'session') => Promise<T>,
): Promise<T> {
  if ('unsafe' in client) {
    const results: T[] = []
    await client.begin(async (tx) => {
      results.push(await work(queryOver(tx), 'transaction'))
    })
    return results[0] as T
  }
  if (!('totalCount' in client)) return work(queryOver(client), 'session')
  const connection = await client.connect()
  let isClean = false
  try {
    await connection.query('begin')
    try {
      const result = await work(queryOver(connection), 'transaction')
      await connection.query('commit')
      isClean = true
      return result
    } catch (error) {
      await connection.query('rollback')
      isClean = true
      throw error
    }
  } finally {
    connection.release(!isClean)
  }
}
