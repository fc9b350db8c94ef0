// `leasehold migrate`: brings a database to this version's schema, before a Worker or a rolling upgrade needs it.
import { readDatabaseUrl } from '../../config/addresses.ts'
import { connectDatabase } from '../../db/client.ts'
import { migrate, shippedMigrations } from '../../db/migrate.ts'
import { ensurePartitions } from '../../db/partitions.ts'
import { systemClock } from '../../platform/clock.ts'
import { StartError } from '../../platform/start-error.ts'
import { type Command, type CommandIo, readArguments } from '../command.ts'

const usage = `Usage:
  leasehold migrate

Applies the migrations that this version ships to the database of DATABASE_URL, and makes the tables of the next days'
reports. Repeating it changes nothing, and servers of the version before go on working. A server on Node does the same
when it starts; a Worker never does. Needs no other setting. DATABASE_URL must be the database itself, not a pooler.
`

async function run(args: string[], io: CommandIo): Promise<void> {
  readArguments(args, {})
  const url = databaseUrl(io)
  await migrate(url)
  const connection = connectDatabase(url, { poolSize: 1 })
  try {
    await ensurePartitions(connection.db, systemClock.now())
  } finally {
    await connection.close()
  }
  io.out(`All ${await shippedMigrations()} migrations of this version are applied.\n`)
}

function databaseUrl({ env }: CommandIo): string {
  const fix = 'Set it to postgres://user:password@host/database.'
  const text = env.DATABASE_URL?.trim()
  if (!text) throw new StartError('DATABASE_URL is not set.', fix)
  const url = readDatabaseUrl(text)
  if ('value' in url) return url.value
  throw new StartError(`DATABASE_URL: the value ${url.wrong}.`, fix)
}

export const command: Command = { usage, run }
