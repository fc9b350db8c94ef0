// `leasehold backup`: copies the embedded database and its keys, beside the running server or without one.
import { resolve } from 'node:path'
import { backUpDataFolder } from '../../server/data-folder-copy.ts'
import { type Command, type CommandIo, readArguments } from '../command.ts'
import { embeddedDataDir } from '../embedded-data-dir.ts'

const usage = `Usage:
  leasehold backup <folder>

Copies the data folder (LEASEHOLD_DATA_DIR) of a server with the embedded database to a new folder: the database as of
the end of the copy, and the keys beside it. The server may run meanwhile. Whoever has the backup has everything: keep
it as you keep the keys. With DATABASE_URL use pg_dump.
`

async function run(args: string[], io: CommandIo): Promise<void> {
  const { positionals } = readArguments(args, {}, 1)
  const fix =
    'pg_dump --format=custom --file=leasehold.dump "$DATABASE_URL" makes a backup, while servers run. Keep LEASEHOLD_MASTER_KEY and LEASEHOLD_ROOT_KEY with it, but not in the same place.'
  const dataDir = embeddedDataDir(io.env, fix)
  const to = resolve(positionals[0] ?? '')
  const { running, secrets } = await backUpDataFolder(dataDir, to)
  io.out(`${to}\n`)
  const how = running ? 'while its server runs' : 'while no server runs'
  io.say(`Copied ${dataDir}, ${how}, with ${secrets.join(', ') || 'no keys: they are in your settings'}.`)
}

export const command: Command = { usage, run }
