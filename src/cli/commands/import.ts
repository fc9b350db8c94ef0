// `leasehold import`: fills an empty server with what `leasehold export` wrote.
import { createReadStream } from 'node:fs'
import { shippedMigrations } from '../../db/migrate.ts'
import { importState } from '../../domain/transfer/import-state.ts'
import { systemClock } from '../../platform/clock.ts'
import { randomBytes } from '../../platform/random.ts'
import { StartError } from '../../platform/start-error.ts'
import { type Command, type CommandIo, readArguments } from '../command.ts'
import { codeOf } from '../files.ts'
import { withDatabaseToFill } from '../transfer/open-database.ts'
import { rowProgress } from '../transfer/progress.ts'

const usage = `Usage:
  leasehold import <file|->

Reads what leasehold export wrote into a server that is empty and does not run: all of it, or nothing. Exported again, it
is the same file. Refused, with the number of the line: a file that was cut off or changed, or that a newer version wrote.

With secrets in it, the server must have the master key of the one that was exported, and should have its root key. Without,
every product gets new signing keys and nobody has a credential: make an admin key with leasehold admin-keys create --role
owner, and issue API keys and license keys anew.

Works on the database of DATABASE_URL with LEASEHOLD_MASTER_KEY, or on the embedded one of LEASEHOLD_DATA_DIR (.data).
`

async function run(args: string[], io: CommandIo): Promise<void> {
  const [file = ''] = readArguments(args, {}, 1).positionals
  const progress = rowProgress('import', io)
  const chunks = file === '-' ? io.source() : contentOf(file)
  const schema = await shippedMigrations()
  try {
    const { rows, secrets } = await withDatabaseToFill(io, ({ db, masterKey }) =>
      importState(
        { db, clock: systemClock, random: randomBytes, schema, masterKey, progress: progress.show },
        chunks,
      ),
    )
    progress.stop()
    io.say(`Imported ${rows} rows. ${secrets ? 'Start the server.' : AFTERWARDS}`)
  } catch (error) {
    progress.stop()
    throw error
  }
}

const AFTERWARDS =
  'Every product has new signing keys, and nobody has a credential: make an admin key with leasehold admin-keys create ' +
  '--role owner; products pin the new keys, and customers need new ones.'

/** The file as it is read. @throws StartError where it cannot be. */
async function* contentOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file)) yield chunk as Uint8Array
  } catch (error) {
    throw new StartError(`${file} cannot be read (${codeOf(error)}).`, 'Name a file that this user may read.')
  }
}

export const command: Command = { usage, run }
