// The command line for tests: in this process, as bin/leasehold.mjs calls it, or as a process of its own.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { main } from '../../src/cli/main.ts'

export const PROGRAM = fileURLToPath(new URL('../../bin/leasehold.mjs', import.meta.url))

export interface Outcome {
  code: number
  out: string
  err: string
}

/** In this process; `input` stands on standard input, and no setting but those of `env` is there. */
export async function inProcess(
  args: string[],
  input = '',
  env: Record<string, string> = {},
): Promise<Outcome> {
  const said = { out: '', err: '' }
  const code = await main(args, env, {
    out: (text) => {
      said.out += text
    },
    say: (line) => {
      said.err += `${line}\n`
    },
    input: async () => input,
    terminal: false,
    progress: null,
  })
  return { code, ...said }
}

/** The program itself, with no settings at all unless they are given. */
export function spawned(
  args: string[],
  input = '',
  env: Record<string, string | undefined> = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err })
    })
    child.stdin?.end(input)
  })
}
