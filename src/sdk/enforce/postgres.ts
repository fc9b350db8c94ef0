// The vendor's own Postgres client, postgres.js or pg, met by shape. Brings none, and opens no connection of its own.

/** Runs one statement with `$1`, `$2`, … and returns its rows. */
export type Query = (
  text: string,
  values?: readonly (string | number | null)[],
) => Promise<Record<string, unknown>[]>

/** postgres.js: what `postgres(url)` returns. */
interface PostgresJs extends PostgresJsTransaction {
  begin(options: string, work: (tx: PostgresJsTransaction) => Promise<unknown>): Promise<unknown>
}

interface PostgresJsTransaction {
  unsafe(text: string, values?: never[]): PromiseLike<Iterable<object>>
}

/** pg: a `Client` or a client of a `Pool`. */
interface PgClient {
  query(text: string, values?: never[]): Promise<{ rows: unknown[] }>
}

/** pg: a client of a `Pool`, checked out. */
interface PgPooled extends PgClient {
  release(failed?: boolean): void
  on?(event: 'error', listener: () => void): unknown
  off?(event: 'error', listener: () => void): unknown
}

/** pg: a `Pool`. */
interface PgPool extends PgClient {
  connect(): Promise<PgPooled>
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

/** Whoever waited for a lock must see what its last holder wrote, whatever the database's default. */
const ISOLATION = 'isolation level read committed'
const ignore = () => {}

/** Runs work on one connection. In a transaction, but on a single pg client, which others may be using meanwhile. @internal */
export async function onOneConnection<T>(
  client: PostgresClient,
  work: (query: Query, scope: 'transaction' | 'session') => Promise<T>,
): Promise<T> {
  if ('unsafe' in client) {
    const results: T[] = []
    await client.begin(ISOLATION, async (tx) => {
      results.push(await work(queryOver(tx), 'transaction'))
    })
    return results[0] as T
  }
  if (!('totalCount' in client)) return work(queryOver(client), 'session')
  const connection = await client.connect()
  // The pool hears of idle connections alone, and an error that nobody hears ends the process; the query fails anyway.
  connection.on?.('error', ignore)
  let isClean = false
  try {
    await connection.query(`begin ${ISOLATION}`)
    try {
      const result = await work(queryOver(connection), 'transaction')
      await connection.query('commit')
      isClean = true
      return result
    } catch (error) {
      isClean = await connection.query('rollback').then(
        () => true,
        () => false,
      )
      throw error
    }
  } finally {
    connection.release(!isClean)
    // One that the pool closes now may still have something to say.
    if (isClean) connection.off?.('error', ignore)
  }
}
