// The command line: finds the command, loads it, and turns its outcome into an exit code: 0 done, 1 failed, 2 used
// wrongly, 3 not verified, or warned. Each command is loaded only when it is called.
import { text } from 'node:stream/consumers'
import type { Environment } from '../config/settings.ts'
import {
  type Command,
  type CommandIo,
  EXIT,
  IncompleteError,
  NotVerifiedError,
  RefusedError,
  UsageError,
  WarningError,
} from './command.ts'
import { explain } from './explain.ts'
import type { Resource } from './operator/resource.ts'
import { askAtTerminal } from './prompt.ts'
import { outlet } from './standard-output.ts'
import { printable } from './table.ts'
import { version } from './version.ts'

interface Entry {
  about: string
  load(): Promise<{ command: Command }>
}

const operated = (load: () => Promise<{ resource: Resource }>) => async () => {
  const [{ operatorCommand }, { resource }] = await Promise.all([import('./operator/command.ts'), load()])
  return { command: operatorCommand(resource) }
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  'admin-keys': {
    about: 'create, list and revoke admin keys at the database',
    load: () => import('./commands/admin-keys.ts'),
  },
  admins: {
    about: 'admin keys and the action budget, over the API',
    load: operated(() => import('./resources/admins.ts')),
  },
  anomalies: {
    about: 'list, resolve and reopen anomalies',
    load: operated(() => import('./resources/anomalies.ts')),
  },
  'api-keys': {
    about: 'issue, rotate and revoke API keys',
    load: operated(() => import('./resources/api-keys.ts')),
  },
  audit: {
    about: 'who changed what',
    load: operated(() => import('./resources/audit.ts')),
  },
  backup: {
    about: 'copy the embedded database and its keys, while the server runs',
    load: () => import('./commands/backup.ts'),
  },
  customers: {
    about: 'list, create and change customers',
    load: operated(() => import('./resources/customers.ts')),
  },
  events: {
    about: 'what happened, numbered',
    load: operated(() => import('./resources/events.ts')),
  },
  drill: {
    about: 'try a rotation of keys or a restore on a scratch database',
    load: () => import('./commands/drill.ts'),
  },
  doctor: {
    about: 'look at everything that a server needs, and say what to do',
    load: () => import('./commands/doctor.ts'),
  },
  export: {
    about: 'write the whole state to a file',
    load: () => import('./commands/export.ts'),
  },
  import: {
    about: 'read the whole state from a file into an empty server',
    load: () => import('./commands/import.ts'),
  },
  inspect: {
    about: 'show what a token, a directive or a key set says',
    load: () => import('./commands/inspect.ts'),
  },
  instances: {
    about: 'list, kill, downgrade, clear and delete instances',
    load: operated(() => import('./resources/instances.ts')),
  },
  keys: {
    about: 'make and show keys; sign key sets with a root key that is kept on another machine',
    load: () => import('./commands/keys.ts'),
  },
  'license-keys': {
    about: 'issue, rotate and revoke license keys',
    load: operated(() => import('./resources/license-keys.ts')),
  },
  licenses: {
    about: 'issue, change, renew, suspend and revoke licenses',
    load: operated(() => import('./resources/licenses.ts')),
  },
  login: {
    about: 'log in to a server with an admin key',
    load: () => import('./commands/login.ts'),
  },
  logout: {
    about: 'forget the admin key of a server',
    load: () => import('./commands/logout.ts'),
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
  products: {
    about: 'list, create and change products',
    load: operated(() => import('./resources/products.ts')),
  },
  relay: {
    about: 'run the on-premises half that serves a site from a verified cache',
    load: () => import('./commands/relay.ts'),
  },
  relays: {
    about: 'create, share seats with and revoke relays',
    load: operated(() => import('./resources/relays.ts')),
  },
  restore: {
    about: 'make a data folder of a backup',
    load: () => import('./commands/restore.ts'),
  },
  'signing-keys': {
    about: 'list, rotate and revoke signing keys; import key sets',
    load: operated(() => import('./resources/signing-keys.ts')),
  },
  'static-jwts': {
    about: 'list and revoke license JWTs that were handed out',
    load: operated(() => import('./resources/static-jwts.ts')),
  },
  stats: {
    about: 'the fleet and its licenses in figures',
    load: operated(() => import('./resources/stats.ts')),
  },
  telemetry: {
    about: 'a metric over time',
    load: operated(() => import('./resources/telemetry.ts')),
  },
  tiers: {
    about: 'list, create and change tiers',
    load: operated(() => import('./resources/tiers.ts')),
  },
  trials: {
    about: 'start and check trials',
    load: operated(() => import('./resources/trials.ts')),
  },
  verify: {
    about: 'check a token against a public key',
    load: () => import('./commands/verify.ts'),
  },
  whoami: {
    about: 'say which server and which admin key commands use',
    load: () => import('./commands/whoami.ts'),
  },
}

const standard: Omit<CommandIo, 'env'> = {
  ...outlet(process.stdout),
  say: (line) => void process.stderr.write(`${line}\n`),
  input: () => text(process.stdin),
  source: () => process.stdin,
  terminal: process.stdout.isTTY === true,
  progress: process.stderr.isTTY ? process.stderr : null,
  prompt: process.stdin.isTTY ? askAtTerminal : null,
}

/** Runs one command; resolves to the exit code. */
export async function main(
  argv: readonly string[],
  env: Environment,
  given: Partial<Omit<CommandIo, 'env'>> = {},
): Promise<number> {
  const io: CommandIo = { ...standard, ...taking(given), ...given, env }
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
    if (error instanceof RefusedError) {
      for (const line of error.lines) io.say(printable(line))
      return EXIT.failed
    }
    if (error instanceof IncompleteError) {
      io.say(error.message)
      return EXIT.failed
    }
    if (error instanceof WarningError) {
      io.say(error.message)
      return EXIT.warned
    }
    for (const line of explain(error)) io.say(line)
    return EXIT.failed
  }
}

/** Whoever takes the output elsewhere takes all of it. */
function taking({ out }: Partial<CommandIo>): Partial<Omit<CommandIo, 'env'>> {
  return out ? { write: async (content) => out(content), prompt: null } : {}
}

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const lines = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`)
  return `Usage: leasehold <command> [options]\n\n${lines.join('\n')}\n\nleasehold <command> --help tells more.\n`
}
