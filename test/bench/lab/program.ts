// A program of the bench that listens on a port of this machine: started, awaited, frozen and stopped.
import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = resolve(import.meta.dirname, '../../..')
const PATIENCE_MS = 60_000

export interface Program {
  name: string
  url: string
  host: string
  port: number
  pid: number
  /** Takes no processor time until `resume`. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

export interface ProgramStart {
  name: string
  /** File that Node runs. */
  path: string
  port: number
  /** Answers 200 once it can be used. */
  readyPath: string
  /** Its log goes here, to a file as it would on a machine that serves. */
  folder: string
  env: Record<string, string>
}

/** Starts it and waits until it is ready. @throws Error with its log when it ends before that. */
export async function startProgram(start: ProgramStart): Promise<Program> {
  const { name, path, port, readyPath, folder, env } = start
  const logFile = join(folder, `${name}.log`)
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, [path], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, PORT: String(port), NODE_ENV: 'production', ...env },
    stdio: ['ignore', log, log],
  })
  const exited = new Promise<void>((done) => child.on('close', () => done()))
  const url = `http://127.0.0.1:${port}`
  for (const deadline = Date.now() + PATIENCE_MS; !(await answers(`${url}${readyPath}`)); await sleep(20)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill()
      throw new Error(`${name} did not start:\n${(await readFile(logFile, 'utf8')).slice(-4000)}`)
    }
  }
  return {
    name,
    url,
    host: '127.0.0.1',
    port,
    pid: child.pid ?? 0,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      await Promise.race([exited, sleep(10_000, undefined, { ref: false })])
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => null)
  await answer?.arrayBuffer()
  return answer?.status === 200
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
