// As whom PostgreSQL runs: as ourselves, or, because it refuses root, as a system account. Touches no files.
import { StartError } from '../../platform/start-error.ts'
import { USE_YOUR_OWN } from './explain-failure.ts'
import { type Account, runCommand } from './run-command.ts'

const KNOWN_NAMES = ['postgres', '_postgres', 'leasehold']
const OWN_NAME = 'leasehold'

/**
 * The account to run PostgreSQL as; `undefined` for our own user. For root it is the owner of the cluster that there
 * is (`owner`), else a system account for PostgreSQL, made if the system has none.
 * @throws StartError when none can be made.
 */
export async function databaseAccount(owner: Account | undefined): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  for (const name of KNOWN_NAMES) {
    const account = await lookUp(name)
    if (account) return account
  }
  const said = await createAccount()
  const made = await lookUp(OWN_NAME)
  if (made) return made
  throw new StartError(
    `PostgreSQL does not run as root, and no account could be made for it: ${said}`,
    `Start the server as an ordinary user, create a system user named postgres, or ${USE_YOUR_OWN}.`,
  )
}

async function lookUp(name: string): Promise<Account | undefined> {
  const [uid, gid] = await Promise.all([id('-u', name), id('-g', name)])
  return uid && gid ? { uid, gid } : undefined
}

async function id(what: '-u' | '-g', name: string): Promise<number | undefined> {
  const { code, output } = await runCommand('id', [what, name]).catch(() => ({ code: null, output: '' }))
  return code === 0 && /^\d+$/.test(output.trim()) ? Number(output) : undefined
}

async function createAccount(): Promise<string> {
  const group = await attempt('groupadd', ['--system', '--force', OWN_NAME])
  const shell = ['--shell', '/usr/sbin/nologin', '--home-dir', '/nonexistent', '--no-create-home']
  const user = await attempt('useradd', ['--system', '--gid', OWN_NAME, ...shell, OWN_NAME])
  return [group, user].filter(Boolean).join('; ')
}

async function attempt(file: string, args: readonly string[]): Promise<string> {
  try {
    const { code, output } = await runCommand(file, args)
    return code === 0 ? '' : output.trim() || `${file} ended with code ${code}`
  } catch (error) {
    return (error as Error).message
  }
}
