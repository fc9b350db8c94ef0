// A real server in a process of its own, on a free port, in a folder of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inject } from 'vitest'
import type {} from './postgres-global-setup.ts'
import { temporaryFolder } from './temporary-folder.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** As `npm start` does. */
export const AS_STARTED: [string, string] = [process.execPath, join(ROOT, 'scripts/start.mjs')]

export interface Exit {
  code: number | null
  signal: string | null
}

export interface LeaseholdProcess {
  url: string
  port: number
  pid: number
  child: ChildProcess
  /** Everything it has written so far. */
  stdout: () => string
  stderr: () => string
  exited: Promise<Exit>
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

export interface LaunchOptions {
  dataDir: string
  port?: number
  env?: Record<string, string>
  /** What starts the server; without it, Node and the bundle of this test run. */
  command?: [program: string, ...args: string[]]
}

/** Starts it and does not wait. */
export async function launch({ dataDir, port, env = {}, command }: LaunchOptions): Promise<LeaseholdProcess> {
  const chosen = port ?? (await freePort())
  const { path, compiled } = inject('serverProgram')
  const [program, ...args] = command ?? [process.execPath, path]
  const child = spawn(program, args, {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      PORT: String(chosen),
      LEASEHOLD_DATA_DIR: dataDir,
      LEASEHOLD_SHUTDOWN_GRACE: '0s',
      LEASEHOLD_PROCESSES: '1',
      NODE_COMPILE_CACHE: compiled,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const written = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      written[stream] += chunk.toString()
    })
  }
  const exited = new Promise<Exit>((done) => child.on('close', (code, signal) => done({ code, signal })))
  return {
    url: `http://127.0.0.1:${chosen}`,
    port: chosen,
    pid: child.pid ?? 0,
    child,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    exited,
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return exited
    },
  }
}

/** Starts it and waits until it is ready. Fails with what it wrote when it ends before that. */
export async function startLeasehold(options: LaunchOptions): Promise<LeaseholdProcess> {
  const server = await launch(options)
  await until(async () => {
    if (server.child.exitCode !== null) throw new Error(`it ended:\n${server.stdout()}\n${server.stderr()}`)
    const answer = await fetch(`${server.url}/readyz`).catch(() => null)
    return answer?.status === 200 && server.stderr().includes('is ready')
  }, 45_000)
  return server
}

/** Waits until the condition holds; the real world gives no other sign. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  for (const deadline = performance.now() + withinMs; !(await condition()); await sleep(10)) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition}`)
  }
}

export interface StoredCredentials {
  admin_key: string
  product: string
  license_key: string
  api_key: string
  issuer: string
  root_public_key: string
}

export async function credentialsIn(dataDir: string): Promise<StoredCredentials> {
  return JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8')) as StoredCredentials
}

/** Folders and servers of one test file, which end with it. */
export function workplace() {
  const folders: string[] = []
  const servers: LeaseholdProcess[] = []
  return {
    async dataDir(): Promise<string> {
      const folder = await temporaryFolder('leasehold-test-server-')
      folders.push(folder)
      return join(folder, 'data')
    },
    async launch(options: LaunchOptions): Promise<LeaseholdProcess> {
      const server = await launch(options)
      servers.push(server)
      return server
    },
    async start(options: LaunchOptions): Promise<LeaseholdProcess> {
      const server = await startLeasehold(options)
      servers.push(server)
      return server
    },
    async clear(): Promise<void> {
      for (const server of servers) {
        if (server.child.exitCode === null && server.child.signalCode === null) await server.stop()
      }
      for (const folder of folders) await rm(folder, { recursive: true, force: true })
    },
  }
}

export function freePort(): Promise<number> {
  return new Promise((done, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => done(port))
    })
  })
}
