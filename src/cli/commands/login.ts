// `leasehold login`: proves an admin key against its server and keeps it for the other commands.
import type { AdminKeyAnswer } from '../../contract/admin-keys.schema.ts'
import { type Command, type CommandIo, readArguments, UsageError } from '../command.ts'
import { adminClient } from '../operator/client.ts'
import {
  DEFAULT_PROFILE,
  profileName,
  profilesFile,
  readProfiles,
  writeProfiles,
} from '../operator/profiles.ts'
import { serverAddress } from '../operator/server-address.ts'
import { printable } from '../table.ts'

const usage = `Usage:
  leasehold login <url> [--profile <name>] [--allow-insecure]

Asks for an admin key, or takes it from standard input or LEASEHOLD_ADMIN_KEY, tries it, and keeps it with the address
in a file of mode 0600 below XDG_CONFIG_HOME (~/.config). The profile becomes the one that other commands use; without
--profile it is "default". Without a login, LEASEHOLD_SERVER and LEASEHOLD_ADMIN_KEY do the same for one command.

  --allow-insecure   plain HTTP to another machine: whoever is on the way can read the key
`

async function login(args: string[], io: CommandIo): Promise<void> {
  const options = { profile: { type: 'string' }, 'allow-insecure': { type: 'boolean' } } as const
  const { values, positionals } = readArguments(args, options, 1)
  const allowInsecure = values['allow-insecure'] === true
  const server = serverAddress(positionals[0] ?? '', { allowInsecure })
  const name = profileName(values.profile ?? DEFAULT_PROFILE)
  const stored = await readProfiles(io)
  const key = await keyOf(server, io)
  const { text } = await adminClient({ server, key }).call({ method: 'GET', path: '/api/v1/admin/whoami' })
  const who = JSON.parse(text) as AdminKeyAnswer
  const profile = { server, admin_key: key, ...(allowInsecure ? { allow_insecure: true } : {}) }
  await writeProfiles({ current: name, profiles: { ...stored.profiles, [name]: profile } }, io)
  io.say(`Logged in to ${server} as "${printable(who.name)}", role ${who.role}. Kept in ${profilesFile(io)}.`)
}

/** Never an option: other users of the machine can see those. */
async function keyOf(server: string, io: CommandIo): Promise<string> {
  const given = io.env.LEASEHOLD_ADMIN_KEY || (io.prompt ? await ask(server, io.prompt) : await io.input())
  const key = given.trim()
  if (/^[\x21-\x7e]+$/.test(key)) return key
  throw new UsageError('The admin key is missing: type it, or give it on standard input.')
}

const ask = (server: string, prompt: NonNullable<CommandIo['prompt']>) =>
  prompt(`Admin key for ${server} (not shown): `, { hidden: true })

export const command: Command = { usage, run: login }
