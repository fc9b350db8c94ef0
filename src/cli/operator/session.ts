// Which server a command talks to, and with which key: the environment, else the profile that is named or current.
import { type CommandIo, UsageError } from '../command.ts'
import { type AdminClient, adminClient } from './client.ts'
import { DEFAULT_PROFILE, profileName, readProfiles } from './profiles.ts'
import { serverAddress } from './server-address.ts'

export interface SessionOptions {
  profile?: string | undefined
  'allow-insecure'?: boolean | undefined
}

/** Options that every command of an operator has. */
export const SESSION_OPTIONS = {
  profile: { type: 'string' },
  'allow-insecure': { type: 'boolean' },
} as const

export interface Session {
  /** Null where it comes from the environment. */
  profile: string | null
  server: string
  client: AdminClient
}

/** @throws UsageError where nobody is logged in. */
export async function openSession(options: SessionOptions, io: CommandIo): Promise<Session> {
  const { LEASEHOLD_SERVER: server, LEASEHOLD_ADMIN_KEY: key, LEASEHOLD_PROFILE: wanted } = io.env
  const named = options.profile ?? (wanted || undefined)
  if (named === undefined && server && key) {
    const address = serverAddress(server, { allowInsecure: options['allow-insecure'] === true })
    return { profile: null, server: address, client: adminClient({ server: address, key }) }
  }
  const { current, profiles } = await readProfiles(io)
  const name = profileName(named ?? current ?? DEFAULT_PROFILE)
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined
  if (!profile) {
    const known = Object.keys(profiles)
    const others = known.length === 0 ? '' : ` Known profiles: ${known.join(', ')}.`
    throw new UsageError(
      `Not logged in${named === undefined ? '' : ` as ${name}`}: run leasehold login URL, or set LEASEHOLD_SERVER and LEASEHOLD_ADMIN_KEY.${others}`,
    )
  }
  const allowInsecure = profile.allow_insecure === true || options['allow-insecure'] === true
  const address = serverAddress(profile.server, { allowInsecure })
  return { profile: name, server: address, client: adminClient({ server: address, key: profile.admin_key }) }
}
