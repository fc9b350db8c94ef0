// `leasehold export`: the whole state of a server as lines of JSON.
import { exportState } from '../../domain/transfer/export-state.ts'
import { type Command, type CommandIo, RefusedError, readArguments } from '../command.ts'
import { beginPrivately, codeOf } from '../files.ts'
import { withDatabaseToRead } from '../transfer/open-database.ts'
import { rowProgress } from '../transfer/progress.ts'

const usage = `Usage:
  leasehold export <file|-> [--with-secrets] [--with-reports]

Writes products, tiers, customers, licenses, instances, seats, anomalies, relays, telemetry, audit log and events as lines
of JSON, from one snapshot: a server may go on meanwhile. The same state gives the same bytes. The file has mode 0600.

  --with-secrets   also signing keys, admin keys, API keys and license keys, and who had a trial. Private keys stay
                   sealed under the master key, and credentials are hashes: the file is worth nothing without that key,
                   and goes only into a server that has it
  --with-reports   also the single reports that telemetry has summed up

Works on the database of DATABASE_URL, or on the embedded one of LEASEHOLD_DATA_DIR (.data).
`

async function run(args: string[], io: CommandIo): Promise<void> {
  const flags = { 'with-secrets': { type: 'boolean' }, 'with-reports': { type: 'boolean' } } as const
  const { values, positionals } = readArguments(args, flags, 1)
  const [file = ''] = positionals
  const secrets = values['with-secrets'] === true
  const options = { secrets, reports: values['with-reports'] === true }
  const target = file === '-' ? pipe(io) : await beginPrivately(file)
  const progress = rowProgress('export', io)
  try {
    const rows = await withDatabaseToRead(io, ({ db }) =>
      exportState(db, options, { write: target.write, progress: progress.show }),
    )
    await target.keep()
    progress.stop()
    io.say(`Exported ${rows} rows${file === '-' ? '' : ` to ${file}`}, ${secrets ? SEALED : OPEN}`)
  } catch (error) {
    progress.stop()
    await target.discard()
    throw error
  }
}

const SEALED = 'with secrets. Keep the master key too: without it they open nowhere.'
const OPEN = 'without secrets: a server made from it has new signing keys, and nobody has a credential of it.'

const pipe = (io: CommandIo) => ({
  async write(text: string) {
    try {
      await io.write(text)
    } catch (error) {
      throw new RefusedError([`The reader went away (${codeOf(error)}): the export is not whole.`])
    }
  },
  keep: async () => {},
  discard: async () => {},
})

export const command: Command = { usage, run }
