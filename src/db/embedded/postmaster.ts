// The PostgreSQL server process while it runs: started, watched, stopped. Knows nothing of how its files came to be.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Logger } from '../../platform/logger.ts'
import { type Account, CLEAN_ENVIRONMENT } from './run-command.ts'
import { LINE_PREFIX, logServerLine, parseServerLine } from './server-log.ts'

const READY = 'database system is ready to accept connections'
const DEFAULT_ESCALATE_MS = 8000

export interface PostmasterOptions {
  readonly postgres: string
  readonly cluster: string
  readonly port: number
  readonly account: Account | undefined
  readonly log: Logger
  /** Off only for databases that nobody will miss. */
  readonly durable?: boolean | undefined
  /** Milliseconds until a fast shutdown that hangs becomes an immediate one. */
  readonly escalateMs?: number | undefined
}

export interface Postmaster {
  readonly pid: number
  /** Resolves, with the reason, if the server ends without `stop`; otherwise never. */
  readonly died: Promise<string>
  /** Fast shutdown: clients are cut off, nothing committed is lost. Idempotent. */
  stop(): Promise<void>
}

/**
 * Starts the server and waits until it accepts connections, however long it needs to recover from a crash.
 * Rejects with an Error whose message is what PostgreSQL last said when it ends before that.
 */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const child = launch(options)
  const complaints: string[] = []
  const ready = Promise.withResolvers<void>()
  const exited = new Promise<string>((resolve) => {
    child.on('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `ended with code ${code}`))
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    const parsed = parseServerLine(line)
    if (parsed) logServerLine(options.log, parsed)
    if (parsed?.message === READY) ready.resolve()
    // Lines that come before the prefix is set, or say why the server ends or cannot have its port.
    if (!parsed ? !line.startsWith('\t') : /FATAL|PANIC|could not bind/.test(line)) {
      complaints.push(parsed?.message ?? line)
      if (complaints.length > 5) complaints.shift()
    }
  })
  const died = (how: string) => [`PostgreSQL ${how}`, ...complaints].join('\n')
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
  child.on('error', ready.reject)
  void closed.then(async () => ready.reject(new Error(died(await exited))))
  await keepAwakeFor(ready.promise)
  complaints.length = 0

  let stopping: Promise<void> | undefined
  const stop = async () => {
    const waits = [options.escalateMs ?? DEFAULT_ESCALATE_MS, 10_000]
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      child.kill(signal)
      if (await settledWithin(exited, waits.shift() ?? 10_000)) return
      options.log.warn({ source: 'postgres', signal }, 'the database does not stop')
    }
  }
  return {
    pid: child.pid ?? 0,
    died: new Promise((resolve) => {
      void exited.then(async (how) => {
        // What it said last may still be in the pipe; its backends may hold the pipe open.
        await settledWithin(closed, 200)
        if (!stopping) resolve(died(how))
      })
    }),
    stop() {
      stopping ??= keepAwakeFor(stop())
      return stopping
    },
  }
}

function launch(options: PostmasterOptions): ChildProcessByStdio<null, null, Readable> {
  const child = spawn(options.postgres, ['-D', options.cluster, ...settings(options)], {
    ...options.account,
    cwd: '/',
    env: CLEAN_ENVIRONMENT,
    // A session of its own: a Ctrl-C in the terminal must reach it only through us, after the server has drained.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // Neither the process nor its log keeps us running.
  child.unref()
  ;(child.stderr as Socket).unref()
  return child
}

function settings({ port, durable = true }: PostmasterOptions): string[] {
  const values: Record<string, string | number> = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    max_connections: 100,
    shared_buffers: '128MB',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    log_destination: 'stderr',
    logging_collector: 'off',
    log_line_prefix: LINE_PREFIX,
    // Statements, parameters and the details of errors can hold secrets and customers' data.
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** The process is not referenced, so something else must keep the event loop running while we wait for it. */
async function keepAwakeFor<T>(work: Promise<T>): Promise<T> {
  const awake = setInterval(() => {}, 60_000)
  try {
    return await work
  } finally {
    clearInterval(awake)
  }
}

async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), ms)
  try {
    return await Promise.race([promise.then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
