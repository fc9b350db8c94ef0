// Where the cluster and its programs lie: in the data folder and in node_modules, unless the database's account cannot
// get there; then in a system folder, and the data folder remembers which. Makes folders, never removes one.
import { randomUUID } from 'node:crypto'
import { chmod, chown, lstat, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../../platform/start-error.ts'
import { USE_YOUR_OWN } from './explain-failure.ts'
import { type Account, runCommand } from './run-command.ts'
import { belongsToRootAlone } from './safe-path.ts'

/** Tried in this order; each is root's alone on the systems that have it. */
export const SYSTEM_FOLDERS: readonly string[] = ['/var/lib', '/opt', '/usr/local']
const OURS = 'leasehold'
const NOTE = 'postgres-location.json'
const OWNER = 'data-folder.json'

/** The folder that holds `postgres/`, the cluster. */
export interface Home {
  readonly folder: string
  /** Whether it lies outside the data folder. */
  readonly outside: boolean
}

interface Note {
  readonly id: string
  readonly home: string
}

export const clusterIn = (home: Home): string => join(home.folder, 'postgres')

/** Makes the data folder, closed to everybody else, unless it is there; its parents as the umask says. */
export async function makeDataFolder(dataDir: string): Promise<'made' | 'found'> {
  await mkdir(join(dataDir, '..'), { recursive: true })
  try {
    await mkdir(dataDir, { mode: 0o700 })
    return 'made'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const found = await stat(dataDir)
  if (!found.isDirectory()) {
    throw new StartError(`${dataDir} is not a folder.`, 'Set LEASEHOLD_DATA_DIR to a folder.')
  }
  // Somebody else could put files in our way. Where the folder is not ours, each file's owner is looked at instead.
  if ((found.mode & 0o022) !== 0 && found.uid === process.getuid?.()) {
    await chmod(dataDir, found.mode & 0o755)
  }
  return 'found'
}

/** Lets the database's account pass through a folder of ours, and not list it. */
export async function letPass(folder: string, account: Account): Promise<void> {
  await chown(folder, process.getuid?.() ?? 0, account.gid)
  await chmod(folder, 0o710)
}

/**
 * Where this data folder's cluster was put before, if it was.
 * @throws StartError when it was put outside and is gone, or the data folder is a copy of another one.
 */
export async function knownHome(dataDir: string): Promise<Home | undefined> {
  const noted = await readFile(join(dataDir, NOTE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (noted === undefined) {
    const inside: Home = { folder: dataDir, outside: false }
    return (await lstat(clusterIn(inside)).catch(() => undefined)) ? inside : undefined
  }
  const note = JSON.parse(noted) as Note
  if (!(await lstat(note.home).catch(() => undefined))) {
    throw new StartError(
      `The database of ${dataDir} lies in ${note.home}, and that folder is gone.`,
      `Restore ${note.home}. To begin with an empty database instead, remove ${join(dataDir, NOTE)}.`,
    )
  }
  if (process.getuid?.() === 0 && !(await belongsToRootAlone(note.home))) {
    throw new StartError(
      `${note.home}, where the database of ${dataDir} lies, can be changed by other users than root.`,
      `Find out why, then give it back to root: chown root ${note.home} && chmod 710 ${note.home}`,
    )
  }
  await refuseCopy(dataDir, note)
  return { folder: note.home, outside: true }
}

/**
 * A place for a new cluster: the data folder if the account can get there, else a new folder under the first of
 * `systemFolders` that serves.
 */
export async function chooseHome(
  dataDir: string,
  account: Account | undefined,
  systemFolders: readonly string[],
): Promise<Home> {
  if (!account || (await canReach(account, dataDir))) return { folder: dataDir, outside: false }
  const id = randomUUID()
  const folder = join(await systemFolder(account, systemFolders), id)
  await mkdir(folder, { mode: 0o700 })
  await letPass(folder, account)
  await writeFile(join(folder, OWNER), JSON.stringify({ dataDir }), { flag: 'wx', mode: 0o600 })
  const note: Note = { id, home: folder }
  await writeFile(join(dataDir, NOTE), JSON.stringify(note), { flag: 'wx', mode: 0o600 })
  return { folder, outside: true }
}

/** Whether the account really gets to the folder: asked by going there, so that ACLs and mounts count too. */
export async function canReach(account: Account, folder: string): Promise<boolean> {
  const { code } = await runCommand('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { account })
  return code === 0
}

/** A folder of root's own, for us, that the account can reach. Made if need be. */
export async function systemFolder(account: Account, candidates: readonly string[]): Promise<string> {
  const tried: string[] = []
  for (const candidate of candidates) {
    const folder = join(candidate, OURS)
    try {
      if (!(await belongsToRootAlone(candidate))) throw new Error('not root’s alone')
      await mkdir(folder).then(
        () => chmod(folder, 0o755),
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error
        },
      )
      if (!(await belongsToRootAlone(folder))) throw new Error('not root’s alone')
      if (await canReach(account, folder)) return folder
      tried.push(`${folder} (out of reach)`)
    } catch (error) {
      tried.push(`${folder} (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`)
    }
  }
  throw new StartError(
    `PostgreSQL does not run as root, and its account (uid ${account.uid}) cannot reach the data folder or the programs. ` +
      `No other place was found: ${tried.join(', ')}.`,
    `Start the server as an ordinary user, move it and LEASEHOLD_DATA_DIR to a folder all users can enter, or ${USE_YOUR_OWN}.`,
  )
}

/** A copied data folder names the original's cluster: two servers must not take turns in one database unknowingly. */
async function refuseCopy(dataDir: string, { id, home }: Note): Promise<void> {
  const ownerFile = join(home, OWNER)
  const recorded = (JSON.parse(await readFile(ownerFile, 'utf8')) as { dataDir: string }).dataDir
  if (recorded === dataDir) return
  const original = await readFile(join(recorded, NOTE), 'utf8').catch(() => undefined)
  if (original && (JSON.parse(original) as Note).id === id) {
    throw new StartError(
      `${dataDir} is a copy of ${recorded}, and its database lies outside of both, in ${home}.`,
      `Use ${recorded}, or remove ${join(dataDir, NOTE)} to begin with an empty database in the copy.`,
    )
  }
  await writeFile(ownerFile, JSON.stringify({ dataDir }), { mode: 0o600 })
}
