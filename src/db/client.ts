// The connection to Postgres: one pool a process (or one connection a request on Workers). Owns no query.
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { requireCorrectedDriver } from './corrected-driver.ts'

export type Database = PostgresJsDatabase<Record<string, never>>
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]
/** What a query needs: the pool, or the transaction that is under way. */
export type Executor = Database | Transaction

export interface DatabaseConnection {
  db: Database
  /** The driver itself, for LISTEN and for probes. */
  client: postgres.Sql
  /** Ends the connections; waits at most five seconds for statements under way. */
  close(): Promise<void>
}

/**
 * Milliseconds. A process that was frozen within a transaction must not hold its locks, and so everybody, for ever.
 * Poolers refuse such start parameters; there the server's own settings count.
 */
const TIMEOUTS = {
  lock_timeout: 5_000,
  statement_timeout: 30_000,
  idle_in_transaction_session_timeout: 10_000,
}

export interface ConnectOptions {
  poolSize: number
  /** Server-side prepared statements; off behind poolers that cannot keep them (Hyperdrive). */
  prepare?: boolean
}

/**
 * Opens a lazily connecting pool: nothing goes over the network before the first query.
 * @throws StartError when the installed driver is not the corrected one.
 */
export function connectDatabase(url: string, options: ConnectOptions): DatabaseConnection {
  requireCorrectedDriver()
  const prepare = options.prepare ?? true
  const client = postgres(url, {
    max: options.poolSize,
    prepare,
    fetch_types: false,
    connect_timeout: 2,
    idle_timeout: 300,
    // A short, flat pause: service is back within seconds of the database's return, whatever the outage's length.
    backoff: () => 0.25,
    onnotice: () => {},
    connection: { application_name: 'leasehold', ...(prepare ? TIMEOUTS : {}) },
  })
  const db = drizzle(prepare ? preparing(client) : client)
  takeText(client)
  return {
    db,
    client,
    close: () => client.end({ timeout: 5 }),
  }
}

/** The driver under `db`, for what no transaction may be open for. @throws TypeError when `db` is a transaction. */
export function driverOf(db: Database): postgres.Sql {
  if ('$client' in db) return db.$client as postgres.Sql
  throw new TypeError('A transaction has no driver of its own')
}

const BOOLEAN = 16
const BYTEA = 17

/** A parameter that is text already stays as it is, whatever its type. drizzle has seen to that for JSON and times. */
function takeText({ options: { serializers } }: postgres.Sql): void {
  for (const type of [BOOLEAN, BYTEA]) {
    const serialize = serializers[type]
    serializers[type] = (value: unknown) => (typeof value === 'string' ? value : serialize?.(value))
  }
}

/** One connection apart from the pool, for the watchdog: a busy pool is no dead database. Connects lazily too. */
export function connectProbe(
  url: string,
  { prepare = true }: Pick<ConnectOptions, 'prepare'> = {},
): postgres.Sql {
  return postgres(url, {
    max: 1,
    prepare,
    fetch_types: false,
    connect_timeout: 2,
    backoff: () => 0.25,
    onnotice: () => {},
    connection: { application_name: 'leasehold probe' },
  })
}

/**
 * drizzle sends its statements through `unsafe` without preparing them. Their texts are few and constant here (lists
 * go in as one array parameter), so every one is worth preparing once per connection.
 */
function preparing<T extends postgres.Sql>(client: T): T {
  return new Proxy(client, {
    get(target, name, receiver) {
      if (name === 'unsafe') {
        return (text: string, parameters: never[], options?: object) =>
          target.unsafe(text, parameters, { ...options, prepare: (parameters?.length ?? 0) > 0 })
      }
      if (name === 'begin' || name === 'savepoint') {
        return (...args: unknown[]) => {
          const work = args.pop() as (tx: postgres.TransactionSql) => Promise<unknown>
          const run = (tx: postgres.TransactionSql) => work(preparing(tx as never) as never)
          return Reflect.apply(Reflect.get(target, name) as postgres.Sql['begin'], target, [...args, run])
        }
      }
      return Reflect.get(target, name, receiver)
    },
  })
}
