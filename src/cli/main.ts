// The command line: finds the command, loads it, and turns its outcome into an exit code: 0 done, 1 failed, 2 used
// wrongly, 3 not verified. Each command is loaded only when it is called.
import { text } from 'node:stream/consumers'
import type { Environment } from '../config/settings.ts'
import {
  type Command,
  type CommandIo,
  EXIT,
  IncompleteError,
  NotVerifiedError,
  UsageError,
} from './command.ts'
import { explain } from './explain.ts'
import { version } from './version.ts'

interface Entry {
  about: string
  load(): Promise<{ command: Command }>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  'admin-keys': {
    about: 'create, list and revoke admin keys',
    load: () => import('./commands/admin-keys.ts'),
  },
  inspect: {
    about: 'show what a token, a directive or a key set says',
    load: () => import('./commands/inspect.ts'),
  },
  keys: {
    about: 'make and show keys; sign key sets with a root key that is kept on another machine',
    load: () => import('./commands/keys.ts'),
  },
  'master-key': {
    about: 'seal all secrets in the database anew',
    load: () => import('./commands/master-key.ts'),
  },
  migrate: {
    about: 'bring the database to the schema of this version',
    load: () => import('./commands/migrate.ts'),
  },
  mint: {
    about: 'sign offline licenses for sites without a network',
    load: () => import('./commands/mint.ts'),
  },
  relay: {
    about: 'run the on-premises half that serves a site from a verified cache',
    load: () => import('./commands/relay.ts'),
  },
  verify: {
    about: 'check a token against a public key',
    load: () => import('./commands/verify.ts'),
  },
}

const standard: Omit<CommandIo, 'env'> = {
  out: (content) => void process.stdout.write(content),
  say: (line) => void process.stderr.write(`${line}\n`),
  input: () => text(process.stdin),
  terminal: process.stdout.isTTY === true,
  progress: process.stderr.isTTY ? process.stderr : null,
}

/** Runs one command; resolves to the exit code. */
export async function main(
  argv: readonly string[],
  env: Environment,
  given: Partial<Omit<CommandIo, 'env'>> = {},
): Promise<number> {
  const io: CommandIo = { ...standard, ...given, env }
  const [name = '', ...args] = argv
  if (name === '--version') {
    io.out(`${await version()}\n`)
    return EXIT.done
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(overview())
    return EXIT.done
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!entry) {
    io.say(name === '' ? overview() : `${name} is no command.\n\n${overview()}`)
    return EXIT.usedWrongly
  }
  const { command } = await entry.load()
  if (args.includes('--help') || args.includes('-h')) {
    io.out(command.usage)
    return EXIT.done
  }
  return run(command, args, io)
}

async function run(command: Command, args: string[], io: CommandIo): Promise<number> {
  try {
    await command.run(args, io)
    return EXIT.done
  } catch (error) {
    if (error instanceof UsageError) {
      io.say(`${error.message}\n\n${command.usage}`)
      return EXIT.usedWrongly
    }
    if (error instanceof NotVerifiedError) {
      io.say(error.message)
      return EXIT.notVerified
    }
    if (error instanceof IncompleteError) {
      io.say(error.message)
      return EXIT.failed
    }
    for (const line of explain(error)) io.say(line)
    return EXIT.failed
  }
}

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const lines = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`)
  return `Usage: leasehold <command> [options]\n\n${lines.join('\n')}\n\nleasehold <command> --help tells more.\n`
}
