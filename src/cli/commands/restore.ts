// `leasehold restore`: makes a data folder of a backup. Overwrites nothing.
import { resolve } from 'node:path'
import { restoreDataFolder } from '../../server/data-folder-copy.ts'
import { type Command, type CommandIo, readArguments } from '../command.ts'
import { embeddedDataDir } from '../embedded-data-dir.ts'

const usage = `Usage:
  leasehold restore <folder>

Puts a backup that leasehold backup made into the data folder (LEASEHOLD_DATA_DIR), which must be empty or absent. Then
start the server. With DATABASE_URL use pg_restore.
`

async function run(args: string[], io: CommandIo): Promise<void> {
  const { positionals } = readArguments(args, {}, 1)
  const fix =
    'Into an empty database: pg_restore --no-owner --dbname="$DATABASE_URL" leasehold.dump. Then start the servers with the keys that they had.'
  const dataDir = embeddedDataDir(io.env, fix)
  const { secrets } = await restoreDataFolder(resolve(positionals[0] ?? ''), dataDir)
  io.out(`${dataDir}\n`)
  io.say(
    `Restored the database, and ${secrets.join(', ') || 'no keys: they are in your settings'}. Start the server.`,
  )
}

export const command: Command = { usage, run }
