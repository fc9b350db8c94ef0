// `leasehold logout`: forgets a profile. The admin key itself stays valid on its server.
import { type Command, type CommandIo, readArguments, UsageError } from '../command.ts'
import { DEFAULT_PROFILE, readProfiles, writeProfiles } from '../operator/profiles.ts'

const usage = `Usage:
  leasehold logout [--profile <name>] [--all]

Forgets the key of a profile, of the current one without --profile, or with --all of every one. The key stays valid on
its server: an owner revokes it with leasehold admins revoke.
`

async function logout(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { profile: { type: 'string' }, all: { type: 'boolean' } })
  const stored = await readProfiles(io)
  if (values.all) {
    await writeProfiles({ current: null, profiles: {} }, io)
    return io.say('Logged out everywhere.')
  }
  const name = values.profile ?? stored.current ?? DEFAULT_PROFILE
  if (!Object.hasOwn(stored.profiles, name)) throw new UsageError(`There is no profile ${name}.`)
  const { [name]: gone, ...profiles } = stored.profiles
  const current = stored.current === name ? (Object.keys(profiles)[0] ?? null) : stored.current
  await writeProfiles({ current, profiles }, io)
  io.say(`Logged out of ${gone?.server}.${current === null ? '' : ` The current profile is ${current}.`}`)
}

export const command: Command = { usage, run: logout }
