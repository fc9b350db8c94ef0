// Entry on Node: settings, then the server until it is told to stop. A start that fails says why and what to do.
import { loadSettings } from './config/settings.ts'
import { pinoLogger } from './platform/logger-pino.ts'
import { StartError } from './platform/start-error.ts'
import { runServer } from './server/run.ts'

async function main(): Promise<number> {
  const settings = loadSettings(process.env)
  const log = pinoLogger({ level: settings.logLevel })
  try {
    return await runServer(settings, log)
  } catch (error) {
    if (!(error instanceof StartError)) log.error({ err: error }, 'the server could not start')
    throw error
  }
}

function explain(error: unknown): void {
  const said =
    error instanceof StartError
      ? `${error.message}\n${error.fix}`
      : 'Leasehold could not start. The last log line tells why.'
  process.stderr.write(`\n${said}\n\n`)
}

process.exit(
  await main().catch((error: unknown) => {
    explain(error)
    return 1
  }),
)
