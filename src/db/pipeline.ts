// One transaction on one connection, whose statements go out without waiting for the answers to those before. It
// spares a batch the round trips; it repeats nothing.
import type postgres from 'postgres'
import type { DatabaseConnection } from './client.ts'
import { type Parameter, parameterText } from './text-parameters.ts'

/** The rows of one statement. `count` is how many it found or changed, with or without RETURNING. */
export type Rows<Row> = readonly Row[] & { readonly count: number }

export interface PipelinedTransaction {
  /**
   * Sends a statement behind all that was sent before, at once and without waiting. What is sent in one turn of the
   * event loop leaves in one write, and costs one round trip together.
   *
   * `text` is a constant: each connection prepares it once, where the pool prepares at all. Lists go in as one array
   * parameter. The statement must say each parameter's type where Postgres cannot tell it: `$1::uuid[]`.
   * Timestamps and 8-byte integers come back as text, JSON is parsed, arrays are not.
   *
   * After a failure each later statement fails too (25P02): the first failure is the one that counts. A promise that
   * nobody awaits is safe: `commit` and the end of the transaction throw its error.
   */
  send<Row extends object = Record<string, unknown>>(
    text: string,
    parameters?: readonly Parameter[],
  ): Promise<Rows<Row>>
  /**
   * Sends COMMIT with the statements that were sent just before. Resolves when all statements of the transaction
   * have succeeded and Postgres says that it has committed.
   * @throws the first failed statement's error, when nothing was committed.
   * @throws CommitUnclear when nobody can say whether it was committed.
   */
  commit(): Promise<void>
}

/** The connection ended after COMMIT was sent and before its answer: it must not be repeated. */
export class CommitUnclear extends Error {
  override name = 'CommitUnclear'
  constructor(cause: unknown) {
    super('The connection ended before the database said whether it had committed.', { cause })
  }
}

export interface PipelineOptions {
  /** Milliseconds a statement of this transaction may wait for a lock; without it the session's setting holds. */
  lockTimeout?: number
}

/**
 * Takes a connection from the pool, runs `work` in one READ COMMITTED transaction on it, and gives it back. BEGIN goes
 * out together with the first statement. When `work` returns or throws without `commit`, the transaction is rolled
 * back. A connection that was lost fails its statements; nothing of the transaction runs on another one.
 *
 * What goes out before the first answer (with BEGIN itself) should only read and lock. `work` must use nothing but
 * `tx`: another connection of the same pool may be what everybody waits for.
 */
export async function runPipelined<T>(
  { client }: DatabaseConnection,
  work: (tx: PipelinedTransaction) => Promise<T>,
  options: PipelineOptions = {},
): Promise<T> {
  const connection = await client.reserve()
  const flow = new Flow(connection, options)
  try {
    const result = await work(flow)
    await flow.finish()
    return result
  } finally {
    await flow.abandon()
    connection.release()
  }
}

type Command = ReturnType<postgres.Sql['unsafe']>

class Flow implements PipelinedTransaction {
  readonly #connection: postgres.ReservedSql
  readonly #lockTimeout: number | undefined
  readonly #sent: Promise<unknown>[] = []
  /** In the order of the answers. */
  readonly #failures: unknown[] = []
  #committing: Promise<void> | null = null
  #commitSent = false

  constructor(connection: postgres.ReservedSql, { lockTimeout }: PipelineOptions) {
    this.#connection = connection
    this.#lockTimeout = lockTimeout
  }

  send<Row extends object>(text: string, parameters: readonly Parameter[] = []): Promise<Rows<Row>> {
    if (this.#committing) throw new Error('A statement came after COMMIT')
    const values = parameters.map(parameterText)
    if (this.#sent.length === 0) this.#begin()
    const answer: Promise<unknown> = extended(this.#connection, text, values)
    return this.#watch(answer as Promise<Rows<Row>>)
  }

  commit(): Promise<void> {
    if (this.#committing) throw new Error('COMMIT was already sent')
    this.#committing = this.#commit()
    // Awaited by `finish`, should nobody else do so.
    this.#committing.catch(() => {})
    return this.#committing
  }

  /** The end of `work`: a commit that nobody awaited has to succeed too. */
  async finish(): Promise<void> {
    if (this.#committing) return await this.#committing
    await Promise.allSettled(this.#sent)
    this.#throwFailure()
  }

  /** Leaves the connection outside of any transaction, with nothing under way. */
  async abandon(): Promise<void> {
    await this.#committing?.catch(() => {})
    const rollback = this.#commitSent || this.#sent.length === 0 ? [] : [this.#control('rollback')]
    await Promise.allSettled([...this.#sent, ...rollback])
  }

  #begin(): void {
    const limit = this.#lockTimeout === undefined ? '' : `; set local lock_timeout = ${this.#lockTimeout}`
    void this.#watch(this.#control(`begin${limit}`))
  }

  async #commit(): Promise<void> {
    if (this.#failures.length > 0 || this.#sent.length === 0) return this.#throwFailure()
    const commit = this.#control('commit')
    this.#commitSent = true
    const [answer] = await Promise.allSettled([commit, ...this.#sent])
    if (answer.status === 'fulfilled' && answer.value.command === 'COMMIT') return
    if (isRefusal(this.#failures[0])) return this.#throwFailure()
    if (answer.status === 'fulfilled') throw new Error('Postgres rolled the transaction back')
    if (!isRefusal(answer.reason, 'ERROR') && wasSent(commit)) throw new CommitUnclear(answer.reason)
    throw answer.reason
  }

  /** Sent at once: a query of the driver waits for its first `then`. */
  #control(text: string): Command {
    return this.#connection.unsafe(text).execute()
  }

  #watch<T>(answer: Promise<T>): Promise<T> {
    this.#sent.push(answer)
    answer.catch((error: unknown) => {
      this.#failures.push(error)
    })
    return answer
  }

  #throwFailure(): void {
    if (this.#failures.length > 0) throw this.#failures[0]
  }
}

/**
 * The driver asks Postgres for the parameters' types before it binds them: a round trip of its own, for which all that
 * follows has to wait. Parameters that are text already need no such question.
 */
function extended(connection: postgres.ReservedSql, text: string, parameters: (string | null)[]) {
  const query = connection.unsafe(text, [], { prepare: true, simple: false } as postgres.UnsafeQueryOptions)
  return Object.assign(query, { parameters }).execute()
}

/** True for an error that Postgres itself has answered with, of this severity or of any. */
function isRefusal(error: unknown, severity?: 'ERROR'): boolean {
  const found = (error as { severity?: unknown } | undefined)?.severity
  return severity === undefined ? typeof found === 'string' : found === severity
}

/** The driver notes on a query which connection it went to. */
const wasSent = (query: Command): boolean => (query as unknown as { state: unknown }).state !== null
