// Writes an export into an empty server: all of it in one transaction, or nothing. Only for whoever runs the server.
import { sql } from 'drizzle-orm'
import { KEY_USES } from '../../contract/claims.ts'
import type { Database, Executor, Transaction } from '../../db/client.ts'
import { isDatabaseUnavailable } from '../../db/errors.ts'
import { products } from '../../db/schema/index.ts'
import type { Clock } from '../../platform/clock.ts'
import type { RandomBytes } from '../../platform/random.ts'
import { StartError } from '../../platform/start-error.ts'
import { addSeconds, MINUTE_SECONDS } from '../../platform/time.ts'
import { createSigningKey } from '../signing/create-keys.ts'
import { keyringCache } from '../signing/keyring.ts'
import { openPepper } from '../signing/server-secrets.ts'
import { demandEmpty } from './empty-server.ts'
import { type ExportHeader, readExport, UPGRADE, wrongLine } from './read-export.ts'
import { OF_AN_EMPTY_SERVER, shapesOf, takeTime } from './tables.ts'
import { rowWriter } from './write-rows.ts'

/** The first keys hold from a little earlier on: a client's clock may be behind. */
const KEY_HEAD_START = -5 * MINUTE_SECONDS

export interface ImportContext {
  db: Database
  clock: Clock
  random: RandomBytes
  /** Migrations that this version ships. */
  schema: number
  /** The key under which this server seals; `existing`: what was sealed under it before is to be opened. Asked through `on`. */
  masterKey(on: Executor, existing: boolean): Promise<Uint8Array>
  progress(done: number, total: number): void
}

export interface Imported {
  rows: number
  secrets: boolean
}

/**
 * Without secrets in it every product gets new signing keys, and nobody has a credential.
 * @throws StartError for a server that is not empty or still runs, a file of a newer version, one that was cut off or
 * changed, a row that the database refuses (each with the number of its line), or another master key.
 */
export function importState(ctx: ImportContext, chunks: AsyncIterable<Uint8Array>): Promise<Imported> {
  return ctx.db.transaction(async (tx) => {
    await takeTime(tx)
    await demandEmpty(tx)
    const entries = readExport(chunks)
    const first = await entries.next()
    if (first.done || !('header' in first.value)) throw wrongLine(1, 'the file is empty')
    const { header } = first.value
    await demandKnown(tx, ctx, header)
    const masterKey = await ctx.masterKey(tx, header.secrets)
    if (header.secrets) await clear(tx)
    const total = header.tables.reduce((sum, { rows }) => sum + rows, 0)
    const writer = rowWriter(tx, header, (done) => ctx.progress(done, total))
    for await (const entry of entries) if ('table' in entry) await writer.add(entry)
    const rows = await writer.end()
    await (header.secrets ? proveKeys(tx, ctx, masterKey) : makeKeys(tx, ctx, masterKey))
    return { rows, secrets: header.secrets }
  })
}

async function demandKnown(tx: Transaction, { schema }: ImportContext, header: ExportHeader): Promise<void> {
  if (header.schema > schema) {
    throw wrongLine(1, `it has schema ${header.schema}, and this version knows ${schema}`, UPGRADE)
  }
  const shapes = await shapesOf(tx, header)
  for (const { table, columns } of header.tables) {
    const known = shapes.find(({ name }) => name === table)?.columns ?? []
    const foreign = columns.find((column) => !known.includes(column))
    if (foreign !== undefined) throw wrongLine(1, `this version knows no ${table}.${foreign}`, UPGRADE)
  }
}

async function clear(tx: Transaction): Promise<void> {
  for (const name of OF_AN_EMPTY_SERVER) await tx.execute(sql`delete from ${sql.identifier(name)}`)
}

/** What was imported must open, or the next start would fail. */
async function proveKeys(tx: Transaction, ctx: ImportContext, masterKey: Uint8Array): Promise<void> {
  try {
    await openPepper(tx, masterKey, ctx.random, ctx.clock.now())
    await keyringCache(tx as unknown as Database, masterKey, ctx.clock).reload()
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error
    throw new StartError(
      'The keys of this export do not open with the master key of this server.',
      'Nothing was imported. Set LEASEHOLD_MASTER_KEY to that of the server that was exported, or put its master-key file into the data folder.',
      { cause: error },
    )
  }
}

async function makeKeys(tx: Transaction, ctx: ImportContext, masterKey: Uint8Array): Promise<void> {
  const notBefore = addSeconds(ctx.clock.now(), KEY_HEAD_START)
  const found = await tx
    .select({ id: products.id, code: products.code })
    .from(products)
    .orderBy(products.code)
  for (const product of found) {
    for (const use of KEY_USES) {
      await createSigningKey(tx, { masterKey, clock: ctx.clock }, product, use, notBefore)
    }
  }
}
