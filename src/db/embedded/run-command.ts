// Runs one short-lived program, as the database's own account where one is given. Owns no policy.
import { spawn } from 'node:child_process'

/** The system account that the database runs as; absent when that is our own. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

export interface CommandResult {
  /** Exit code, or null when a signal ended the program. */
  readonly code: number | null
  readonly output: string
}

/** Nothing of our own environment: it may hold secrets, which the account could read, and PG* settings. */
export const CLEAN_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
}

/**
 * Runs `file` to its end and collects what it prints. In a session of its own, so that a Ctrl-C in the terminal
 * does not cut it short. Rejects when it cannot be executed at all (`ENOENT`, `EACCES`, `EPERM`).
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: { account?: Account | undefined; input?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...options.account,
      cwd: '/',
      env: CLEAN_ENVIRONMENT,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let output = ''
    const collect = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    // A program that ends before it has read its input is judged by its exit code.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}
