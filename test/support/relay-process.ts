// A relay in a process of its own, on one port and one folder through all its restarts.
import { type ChildProcess, spawn } from 'node:child_process'
import { type Answer, caller } from './app.ts'
import { freePort, until } from './leasehold-process.ts'
import { INTERNAL_KEY } from './running-relay.ts'

export interface RelayProcess {
  url: string
  port: number
  /** What `/api/licenses/sync-status` says; null while nobody answers. */
  status(): Promise<Answer['body'] | null>
  /** Starts it and does not wait; `env` beside the settings of all its starts. */
  launch(env?: Record<string, string>): void
  ready(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Sends the signal and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** The end of what it wrote. */
  log(): string
}

const MOST_LOG = 40_000

export async function relayProcess(program: string, env: Record<string, string>): Promise<RelayProcess> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const call = caller(url, { documented: false })
  let child: ChildProcess | null = null
  let exited: Promise<unknown> = Promise.resolve()
  let log = ''
  return {
    url,
    port,
    async status() {
      const headers = { 'x-internal-api-key': INTERNAL_KEY }
      const answer = await call('GET', '/api/licenses/sync-status', { headers }).catch(() => null)
      return answer?.status === 200 ? answer.body : null
    },
    launch(more = {}) {
      const started = spawn(process.execPath, [program], {
        env: {
          PATH: process.env.PATH,
          PORT: String(port),
          SECRET_INTERNAL_API_KEY: INTERNAL_KEY,
          ...env,
          ...more,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      for (const stream of [started.stdout, started.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          log = (log + chunk.toString()).slice(-MOST_LOG)
        })
      }
      exited = new Promise((resolve) => started.on('close', resolve))
      child = started
    },
    async ready() {
      await until(async () => {
        if (child?.exitCode !== null) throw new Error(`the relay ended:\n${log}`)
        return (await fetch(`${url}/readyz`).catch(() => null))?.status === 200
      }, 30_000)
    },
    signal: (signal) => void child?.kill(signal),
    async stop(signal = 'SIGTERM') {
      child?.kill(signal)
      await exited
    },
    log: () => log,
  }
}
