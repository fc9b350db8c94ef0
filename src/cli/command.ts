// What a command is, and how it reads its arguments. Knows no command.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Environment } from '../config/settings.ts'

export const EXIT = { done: 0, failed: 1, usedWrongly: 2, notVerified: 3, warned: 3 } as const

export interface CommandIo {
  env: Environment
  /** What the command was asked for: standard output, as it is. */
  out(text: string): void
  /** The same for what may be long: resolves when more can be taken. Fails when the reader has gone away. */
  write(content: string): Promise<void>
  /** Everything else a human wants to know: one line to standard error. */
  say(line: string): void
  /** All of standard input. */
  input(): Promise<string>
  /** The same, as it comes. */
  source(): AsyncIterable<Uint8Array>
  /** Whether standard output is a terminal, where a table reads better than lines. */
  terminal: boolean
  /** Where a progress bar can be drawn; null where standard error is no terminal. */
  progress: NodeJS.WriteStream | null
  /** Asks the human at the terminal; null where standard input is none. Hidden: what is typed is not shown. */
  prompt: ((question: string, options?: { hidden?: boolean }) => Promise<string>) | null
}

export interface Command {
  usage: string
  /** Resolves when it is done; a failure is thrown. */
  run(args: string[], io: CommandIo): Promise<void>
}

/** The command was used wrongly: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What was signed does not verify: exit code 3. The message is for the reader, a cause of its own it has not. */
export class NotVerifiedError extends Error {
  override readonly name = 'NotVerifiedError'
}

/** A command that did what it could, and not all of it: exit code 1. It has said the rest already. */
export class IncompleteError extends Error {
  override readonly name = 'IncompleteError'
}

/** The server refused, or was not reached: exit code 1. The lines say what, and what to do. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly lines: readonly string[]

  constructor(lines: readonly string[]) {
    super(lines.join('\n'))
    this.lines = lines
  }
}

/** All is done, and something is not as it should be for long: exit code 3. It has said the rest already. */
export class WarningError extends Error {
  override readonly name = 'WarningError'
}

type Options = NonNullable<ParseArgsConfig['options']>

/** Strict parsing by node:util. @throws UsageError for an unknown option or a missing value. */
export function readArguments<const O extends Options>(args: string[], options: O, positionals = 0) {
  const parsed = attempt(() => parseArgs({ args, options, strict: true, allowPositionals: positionals > 0 }))
  if (parsed.positionals.length !== positionals) {
    throw new UsageError(positionals === 0 ? 'Too many arguments.' : `Expected ${positionals} argument.`)
  }
  return parsed
}

function attempt<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof TypeError && 'code' in error) throw new UsageError(error.message)
    throw error
  }
}

/** Runs the subcommand that the first argument names. */
export async function runSubcommand(
  subcommands: Readonly<Record<string, (args: string[], io: CommandIo) => Promise<void>>>,
  [name = '', ...args]: string[],
  io: CommandIo,
): Promise<void> {
  const run = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined
  if (run) return run(args, io)
  const known = Object.keys(subcommands).join(', ')
  throw new UsageError(name === '' ? `One of these is needed: ${known}.` : `${name} is none of: ${known}.`)
}

/** The value of an option that cannot be left out. */
export function required(value: string | undefined, option: string): string {
  if (value !== undefined && value !== '') return value
  throw new UsageError(`${option} is missing.`)
}
