// The server's life as a process: settings, then run until it is told to stop. A start that fails says what to do.
import cluster from 'node:cluster'
import { loadSettings } from '../config/settings.ts'
import { pinoLogger } from '../platform/logger-pino.ts'
import { StartError } from '../platform/start-error.ts'
import { runWorker, WORKER } from './cluster/run-worker.ts'
import { runServer } from './run.ts'

/** Returns the exit code; never rejects. */
export async function main(): Promise<number> {
  try {
    const settings = loadSettings(process.env)
    const log = pinoLogger({ level: settings.logLevel })
    const isWorker = cluster.isWorker && process.argv.includes(WORKER)
    return await (isWorker ? runWorker : runServer)(settings, log).catch((error: unknown) => {
      if (!(error instanceof StartError)) log.error({ err: error }, 'the server could not start')
      throw error
    })
  } catch (error) {
    const said =
      error instanceof StartError
        ? `${error.message}\n${error.fix}`
        : 'Leasehold could not start. The last log line tells why.'
    process.stderr.write(`\n${said}\n\n`)
    return 1
  }
}
