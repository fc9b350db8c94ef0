// The vendor's own Postgres client, postgres.js or pg, met by shape. Brings none, and opens no connection of its own.

/** Runs one statement with `$1`, `$2`, … and returns its rows. */
export type Query = (
  text: string,
  values?: readonly (string | number | null)[],
) => Promise<Record<string, unknown>[]>

/** postgres.js: what `postgres(url)` returns, or a transaction of it. */
interface PostgresJs {
  unsafe(text: string, values?: never[]): PromiseLike<Iterable<object>>
  begin?(work: (tx: never) => Promise<unknown>): Promise<unknown>
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
export function queryOver(client: PostgresClient): Query {
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
    if (!client.begin) throw new TypeError('postgresLock takes what postgres(url) returns')
    const results: T[] = []
    await client.begin(async (tx: PostgresJs) => {
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
