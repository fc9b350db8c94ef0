// The command line: finds the command, loads it, and turns its outcome into an exit code: 0 done, 1 failed, 2 used
// wrongly. Each command is loaded only when it is called.
import { readFile } from 'node:fs/promises'
import type { Environment } from '../config/settings.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'
import { explain } from './explain.ts'

interface Entry {
  about: string
  load(): Promise<{ command: Command }>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  'admin-keys': {
    about: 'create, list and revoke admin keys',
    load: () => import('./commands/admin-keys.ts'),
  },
  keys: {
    about: 'sign key sets with a root key that is kept on another machine',
    load: () => import('./commands/keys.ts'),
  },
  'master-key': {
    about: 'seal all secrets in the database anew',
    load: () => import('./commands/master-key.ts'),
  },
}

const DONE = 0
const FAILED = 1
const USED_WRONGLY = 2

const terminal: Omit<CommandIo, 'env'> = {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
}

/** Runs one command; resolves to the exit code. */
export async function main(
  argv: readonly string[],
  env: Environment,
  print: Omit<CommandIo, 'env'> = terminal,
): Promise<number> {
  const io: CommandIo = { ...print, env }
  const [name = '', ...args] = argv
  if (name === '--version') {
    io.out(`${await version()}\n`)
    return DONE
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(overview())
    return DONE
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!entry) {
    io.say(name === '' ? overview() : `${name} is no command.\n\n${overview()}`)
    return USED_WRONGLY
  }
  const { command } = await entry.load()
  if (args.includes('--help') || args.includes('-h')) {
    io.out(command.usage)
    return DONE
  }
  return run(command, args, io)
}

async function run(command: Command, args: string[], io: CommandIo): Promise<number> {
  try {
    await command.run(args, io)
    return DONE
  } catch (error) {
    if (error instanceof UsageError) {
      io.say(`${error.message}\n\n${command.usage}`)
      return USED_WRONGLY
    }
    for (const line of explain(error)) io.say(line)
    return FAILED
  }
}

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const lines = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`)
  return `Usage: leasehold <command> [options]\n\n${lines.join('\n')}\n\nleasehold <command> --help tells more.\n`
}

async function version(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
