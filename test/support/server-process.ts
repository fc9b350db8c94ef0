// Runs embedded-postgres-process.ts in a process of its own, and reads what it says.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stopLeftover } from '../../src/db/embedded/leftover.ts'
import type { EmbeddedPostgres } from '../../src/db/embedded/start.ts'
import { silentLog } from './silent-log.ts'

export const PROGRAM = fileURLToPath(new URL('embedded-postgres-process.ts', import.meta.url))

export interface Said extends Partial<Pick<EmbeddedPostgres, 'url' | 'version' | 'location'>> {
  error?: { name: string; message: string; fix?: string }
  drained?: boolean
}

export interface ServerProcess {
  child: ChildProcess
  pid: number
  /** The next thing it says; `{}` when it ends before that. */
  next(): Promise<Said>
  /** Ends its standard input: it stops the database and exits by itself. */
  finish(): Promise<{ code: number | null; signal: string | null }>
  exited: Promise<{ code: number | null; signal: string | null }>
  /** Ends it and its database, whatever state they are in. */
  destroy(): Promise<void>
}

interface Options {
  dataDir: string
  behaviour?: 'serve' | 'drain' | 'abandon'
  durable?: boolean
  systemFolders?: string[]
}

interface How {
  node?: string
  program?: string
  uid?: number
  gid?: number
  env?: Record<string, string>
  /** What to put before the command, for example `unshare`. */
  before?: string[]
}

export function launchServer(options: Options, how: How = {}): ServerProcess {
  const given = JSON.stringify({ behaviour: 'serve', durable: false, ...options })
  const [file = '', ...args] = [
    ...(how.before ?? []),
    how.node ?? process.execPath,
    how.program ?? PROGRAM,
    given,
  ]
  const { uid, gid } = how
  const child = spawn(file, args, {
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    env: { PATH: process.env.PATH, ...how.env },
    cwd: '/',
    // Like a shell: each command is a process group, which a Ctrl-C reaches as a whole.
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('exit', (code, signal) => resolve({ code, signal }))
    child.on('error', reject)
  })
  let cluster: string | undefined
  return {
    child,
    pid: child.pid ?? 0,
    exited,
    async next() {
      const line = await lines.next()
      const said = line.done ? {} : (JSON.parse(line.value) as Said)
      cluster = said.location?.data ?? cluster
      return said
    },
    finish() {
      child.stdin.end()
      return exited
    },
    async destroy() {
      child.kill('SIGKILL')
      await exited
      if (cluster && existsSync(cluster)) await stopLeftover(cluster, silentLog)
    },
  }
}
