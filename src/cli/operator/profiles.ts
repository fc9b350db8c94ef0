// Where the command line is logged in: server and admin key, by profile, in one file that only its owner may read.
import { chmod, mkdir, readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { isJsonObject } from '../../license/json.ts'
import { StartError } from '../../platform/start-error.ts'
import { type CommandIo, UsageError } from '../command.ts'
import { codeOf, writePrivately } from '../files.ts'

export interface Profile {
  server: string
  admin_key: string
  /** Plain HTTP to another machine was allowed when it was made. */
  allow_insecure?: boolean
}

export interface Profiles {
  /** Used where none is named. */
  current: string | null
  profiles: Record<string, Profile>
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
export const DEFAULT_PROFILE = 'default'

/** XDG Base Directory Specification: a relative path counts as unset. */
export function profilesFile({ env }: CommandIo): string {
  const base = env.XDG_CONFIG_HOME?.startsWith('/') ? env.XDG_CONFIG_HOME : null
  const home = env.HOME || homedir()
  return join(base ?? join(home, '.config'), 'leasehold', 'profiles.json')
}

/** All profiles; none where there is no file. @throws StartError for a file that is damaged or that others may read. */
export async function readProfiles(io: CommandIo): Promise<Profiles> {
  const file = profilesFile(io)
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) {
      throw new StartError(
        `${file} can be read by others.`,
        `Close it: chmod 600 ${file}. If others used this machine meanwhile, revoke the keys in it.`,
      )
    }
    return parsed(await readFile(file, 'utf8'), file)
  } catch (error) {
    if (error instanceof StartError) throw error
    if (codeOf(error) === 'ENOENT') return { current: null, profiles: {} }
    throw new StartError(`${file} cannot be read (${codeOf(error)}).`, 'Log in again: leasehold login URL.')
  }
}

function parsed(text: string, file: string): Profiles {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    found = null
  }
  if (!isJsonObject(found) || !isJsonObject(found.profiles)) {
    throw new StartError(`${file} is damaged.`, 'Remove it, and log in again: leasehold login URL.')
  }
  const profiles = Object.create(null) as Record<string, Profile>
  for (const [name, given] of Object.entries(found.profiles)) {
    if (!isJsonObject(given) || typeof given.server !== 'string' || typeof given.admin_key !== 'string')
      continue
    profiles[name] = {
      server: given.server,
      admin_key: given.admin_key,
      ...(given.allow_insecure === true ? { allow_insecure: true } : {}),
    }
  }
  return { current: typeof found.current === 'string' ? found.current : null, profiles }
}

/** Writes all profiles, mode 0600, in a folder of mode 0700 where it has to be made. */
export async function writeProfiles(profiles: Profiles, io: CommandIo): Promise<void> {
  const file = profilesFile(io)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new StartError(
      `${dirname(file)} cannot be made (${codeOf(error)}).`,
      'Set XDG_CONFIG_HOME to a folder of yours.',
    )
  })
  await writePrivately(file, `${JSON.stringify(profiles, null, 2)}\n`, { overwrite: true })
  await chmod(file, 0o600)
}

/** @throws UsageError for a name that could be mistaken for something else. */
export function profileName(name: string): string {
  if (NAME.test(name)) return name
  throw new UsageError('--profile must be letters, digits, dots, dashes and underscores, at most 64.')
}
