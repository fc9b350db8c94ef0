// The cluster on disk: made once, in one step that is either complete or not there; checked ever after. A finished
// cluster is never deleted. Starts no server.
import { randomBytes } from 'node:crypto'
import { chown, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../../platform/start-error.ts'
import type { Binaries } from './binaries.ts'
import { explainFailure, USE_YOUR_OWN } from './explain-failure.ts'
import { clusterIn, type Home } from './location.ts'
import { newPassword, readPassword, scramVerifier, storePassword } from './password.ts'
import { type Account, runCommand } from './run-command.ts'

/** The only role: owner of everything in the cluster. */
export const ROLE = 'leasehold'
/** The only database of ours in it. */
export const DATABASE = 'leasehold'
/** What an interrupted start leaves, and the next one removes, begins so. */
export const UNFINISHED = 'postgres.new-'

interface ClusterOptions {
  readonly dataDir: string
  readonly home: Home
  readonly binaries: Binaries
  /** Of the programs, for example `18.4`. */
  readonly version: string
  readonly account: Account | undefined
  readonly durable?: boolean | undefined
}

/** Who owns the cluster, if there is one. */
export async function clusterOwner(home: Home): Promise<Account | undefined> {
  const found = await stat(clusterIn(home)).catch(() => undefined)
  return found && { uid: found.uid, gid: found.gid }
}

/**
 * Makes the cluster if there is none, and returns its password. What an interrupted attempt left behind is removed.
 * With the password file gone the cluster gets a new password. No server may be running in it.
 * @throws StartError when what is there is no cluster of ours.
 */
export async function ensureCluster(options: ClusterOptions): Promise<{ password: string; made: boolean }> {
  const { dataDir, home, version } = options
  const cluster = clusterIn(home)
  await removeUnfinished(home)
  const stored = await readPassword(dataDir)
  if (await isEmpty(cluster)) {
    const password = stored ?? newPassword()
    if (!stored) await storePassword(dataDir, password)
    await initialise(options, password)
    return { password, made: true }
  }
  await assertOurs(cluster, version, options.account)
  if (stored) return { password: stored, made: false }
  const password = newPassword()
  await setPassword(options, password)
  await storePassword(dataDir, password)
  return { password, made: false }
}

async function initialise(
  { home, binaries, account, durable = true }: ClusterOptions,
  password: string,
): Promise<void> {
  const part = join(home.folder, UNFINISHED + randomBytes(6).toString('hex'))
  const verifierFile = `${part}.verifier`
  const owner = account ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  try {
    await mkdir(part, { mode: 0o700 })
    await chown(part, owner.uid, owner.gid)
    const handle = await open(verifierFile, 'wx', 0o600)
    await handle.writeFile(`${scramVerifier(password)}\n`)
    await handle.chown(owner.uid, owner.gid).finally(() => handle.close())
    const { code, output } = await runCommand(
      binaries.initdb,
      [
        `--pgdata=${part}`,
        `--username=${ROLE}`,
        '--auth=scram-sha-256',
        `--pwfile=${verifierFile}`,
        '--encoding=UTF8',
        // PostgreSQL's own C.UTF-8 sorts alike on every system; C for the rest keeps its messages in English.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
        ...(durable ? [] : ['--no-sync']),
      ],
      { account },
    )
    if (code !== 0) throw new Error(output)
    await rename(part, clusterIn(home))
    await syncFolder(home.folder)
  } catch (error) {
    await rm(part, { recursive: true, force: true })
    throw explainFailure('create the embedded database', home.folder, error)
  } finally {
    await rm(verifierFile, { force: true })
  }
}

/** Single-user mode asks for no password: whoever owns the files owns the data. */
async function setPassword({ home, binaries, account }: ClusterOptions, password: string): Promise<void> {
  const cluster = clusterIn(home)
  const { code, output } = await runCommand(binaries.postgres, ['--single', '-D', cluster, 'postgres'], {
    account,
    input: `ALTER ROLE ${ROLE} PASSWORD '${scramVerifier(password)}'\n`,
  })
  if (code !== 0 || /\b(ERROR|FATAL|PANIC):/.test(output)) {
    throw explainFailure('set a new password for the embedded database', cluster, output)
  }
}

async function assertOurs(cluster: string, version: string, account: Account | undefined): Promise<void> {
  const { uid } = await stat(cluster)
  const us = account?.uid ?? process.getuid?.()
  if (uid !== us) {
    throw new StartError(
      `The database in ${cluster} belongs to another user (uid ${uid}; it would run as uid ${us}).`,
      `Start the server as that user or as root, or give it the files: chown -R ${us} ${cluster}`,
    )
  }
  const found = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) {
    throw new StartError(
      `${cluster} holds files, but no PostgreSQL database.`,
      `Move them elsewhere and start again, or set LEASEHOLD_DATA_DIR to another folder.`,
    )
  }
  const [theirs, ours] = [found.trim(), version.split('.')[0]]
  if (theirs !== ours) {
    throw new StartError(
      `The database in ${cluster} was made by PostgreSQL ${theirs}; this version of the server brings PostgreSQL ${ours}.`,
      `Dump it with the version of the server that made it and restore the dump into an empty data folder, or ${USE_YOUR_OWN}.`,
    )
  }
}

/** Absent, or a folder without entries (a mount point, say). */
async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
}

async function removeUnfinished(home: Home): Promise<void> {
  for (const name of await readdir(home.folder)) {
    if (!name.startsWith(UNFINISHED)) continue
    await rm(join(home.folder, name), { recursive: true, force: true, maxRetries: 3 })
  }
}

/** A rename is on disk only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
