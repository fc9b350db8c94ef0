// The database of a drill: one that is made for it and removed after it. With DATABASE_URL a new database beside that
// one, else an embedded PostgreSQL in a temporary folder. Never the data of a server.
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startEmbeddedPostgres } from '../db/embedded/start.ts'
import type { Logger } from '../platform/logger.ts'
import { backUpDataFolder, restoreDataFolder } from '../server/data-folder-copy.ts'

export interface ScratchDatabase {
  /** For a human, without secrets. */
  readonly place: string
  /** Another one after `rewind`. */
  url(): string
  /** Takes a backup while the database is in use. */
  snapshot(): Promise<void>
  /** Puts the backup in the place of the database. Nobody may be connected. */
  rewind(): Promise<void>
  remove(): Promise<void>
}

export function openScratch(databaseUrl: string | null, log: Logger): Promise<ScratchDatabase> {
  return databaseUrl === null ? embeddedScratch(log) : besideScratch(databaseUrl)
}

/** Backed up and restored as `leasehold backup` and `restore` do it. */
async function embeddedScratch(log: Logger): Promise<ScratchDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'leasehold-drill-'))
  // As root the database runs under an account of its own, which must get through.
  await chmod(folder, 0o711)
  let turn = 0
  const dataDir = () => join(folder, `data-${turn}`)
  const backup = join(folder, 'backup')
  const start = () => startEmbeddedPostgres({ dataDir: dataDir(), log, durable: false })
  let running = await start().catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  return {
    place: `an embedded PostgreSQL ${running.version} in ${folder}`,
    url: () => running.url,
    async snapshot() {
      await backUpDataFolder(dataDir(), backup)
    },
    async rewind() {
      await running.stop()
      turn += 1
      await restoreDataFolder(backup, dataDir())
      running = await start()
    },
    async remove() {
      await running.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Copied with CREATE DATABASE … TEMPLATE: what pg_dump and pg_restore would carry over, on the same server. */
async function besideScratch(databaseUrl: string): Promise<ScratchDatabase> {
  const name = `leasehold_drill_${randomBytes(6).toString('hex')}`
  const copy = `${name}_backup`
  const sql = postgres(databaseUrl, { max: 1, fetch_types: false, onnotice: () => {} })
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  const drop = (database: string) => sql`drop database if exists ${sql(database)} with (force)`
  const make = async (database: string, from: string) => {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${from}`
    await sql`create database ${sql(database)} template ${sql(from)}`
  }
  await sql`create database ${sql(name)}`.catch(async (error: unknown) => {
    await sql.end({ timeout: 1 })
    throw error
  })
  return {
    place: `the new database ${name} on ${url.host}`,
    url: () => url.href,
    async snapshot() {
      await make(copy, name)
    },
    async rewind() {
      await drop(name)
      await make(name, copy)
    },
    async remove() {
      await drop(name)
      await drop(copy)
      await sql.end({ timeout: 5 })
    },
  }
}
