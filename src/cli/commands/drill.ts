// `leasehold drill`: runs an operation that one hopes never to need on a scratch database, and says whether it works.
import { loadSettings } from '../../config/settings.ts'
import { drillClock } from '../../drill/clock.ts'
import { drillRestore } from '../../drill/restore.ts'
import { drillRotation } from '../../drill/rotate.ts'
import { openScratch } from '../../drill/scratch-database.ts'
import { runSteps, type StepResult } from '../../drill/steps.ts'
import { pinoLogger } from '../../platform/logger-pino.ts'
import { type Command, type CommandIo, IncompleteError, readArguments, runSubcommand } from '../command.ts'
import { explain } from '../explain.ts'

const usage = `Usage:
  leasehold drill rotate [--json]
  leasehold drill restore [--json]

rotate   every key in turn: a license key from pending to retired, the control key, the raw key, a root key on another
         machine, the master key; products with the SDK must notice nothing
restore  a backup, an hour of life, and the backup in place of the database; products must lose nothing

Works on a database of its own, which is removed afterwards: with DATABASE_URL a new one beside it (its user must be
allowed to create databases), else an embedded one in a temporary folder. Your data is never touched.

Exit code 0: every step passed; 1: one failed.
`

type Drill = typeof drillRotation

const run =
  (name: string, drill: Drill) =>
  async (args: string[], io: CommandIo): Promise<void> => {
    const { values } = readArguments(args, { json: { type: 'boolean' } })
    const databaseUrl = io.env.DATABASE_URL?.trim() ? loadSettings(io.env).databaseUrl : null
    const log = pinoLogger({
      level: io.env.LOG_LEVEL ? loadSettings(io.env).logLevel : 'silent',
      stream: process.stderr,
    })
    const scratch = await openScratch(databaseUrl, log)
    const results: StepResult[] = []
    const tell = (result: StepResult) => {
      results.push(result)
      if (!values.json) io.out(line(result))
    }
    let passed = false
    try {
      io.say(`Drill in ${scratch.place}.`)
      const clock = drillClock(new Date())
      passed = await runSteps(
        (step) => drill(scratch, clock, log, step),
        tell,
        (error) => explain(error).join(' '),
      )
    } finally {
      await scratch.remove()
    }
    if (values.json) io.out(`${JSON.stringify({ drill: name, passed, steps: results })}\n`)
    if (!passed) throw new IncompleteError(`The drill failed at: ${results.at(-1)?.step}.`)
    io.say(`The drill passed: ${results.length} steps.`)
  }

const line = ({ step, passed, ms, detail }: StepResult): string =>
  `${passed ? 'pass' : 'FAIL'}  ${String(ms).padStart(6)} ms  ${step}: ${detail}\n`

export const command: Command = {
  usage,
  run: (args, io) =>
    runSubcommand({ rotate: run('rotate', drillRotation), restore: run('restore', drillRestore) }, args, io),
}
