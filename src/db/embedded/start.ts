// The embedded database from start to stop: lock, programs, account, place, cluster, server. Each step lives in its
// own file; this one owns their order.
import { createServer } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import type { Logger } from '../../platform/logger.ts'
import { StartError } from '../../platform/start-error.ts'
import { databaseAccount } from './account.ts'
import { type Binaries, copyBinaries, installedBinaries, packageVersion, versionOf } from './binaries.ts'
import { clusterOwner, DATABASE, ensureCluster, ROLE } from './cluster.ts'
import { explainFailure } from './explain-failure.ts'
import { type FolderLock, lockFolder } from './folder-lock.ts'
import { stopLeftover } from './leftover.ts'
import * as location from './location.ts'
import { type Postmaster, startPostmaster } from './postmaster.ts'
import type { Account } from './run-command.ts'
import { followSafely } from './safe-path.ts'

const PORT_ATTEMPTS = 5

export interface EmbeddedPostgresOptions {
  /** The server's data folder; made if absent. Its password file and lock stay here. */
  readonly dataDir: string
  readonly log: Logger
  /** `false` trades safety for speed: only for databases that nobody will miss. */
  readonly durable?: boolean
  /** Where the files of a database go whose data folder its account cannot reach; only ever used as root. */
  readonly systemFolders?: readonly string[]
  /** Milliseconds until a fast shutdown that hangs becomes an immediate one. */
  readonly escalateMs?: number
}

export interface EmbeddedPostgres {
  /** Holds the password: never log it. */
  readonly url: string
  /** For example `18.4`. */
  readonly version: string
  readonly location: {
    readonly data: string
    readonly binaries: string
    readonly port: number
    /** Of the postmaster. */
    readonly pid: number
  }
  /** Stops the database and gives the data folder free. Idempotent. */
  stop(): Promise<void>
  /** Resolves, with the reason, if the database ends by itself; otherwise never. */
  readonly died: Promise<string>
}

/**
 * Starts the PostgreSQL that npm installed, in the data folder, for this process alone.
 * @throws StartError that says what is wrong and what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const locks: FolderLock[] = []
  const release = async () => {
    for (const lock of locks.splice(0).reverse()) await lock.release()
  }
  try {
    return await start(options, locks, release)
  } catch (error) {
    await release()
    throw explainFailure('start the embedded database', options.dataDir, error)
  }
}

async function start(
  options: EmbeddedPostgresOptions,
  locks: FolderLock[],
  release: () => Promise<void>,
): Promise<EmbeddedPostgres> {
  const { log, systemFolders = location.SYSTEM_FOLDERS } = options
  const installed = await installedBinaries()
  const dataDir = await followSafely(options.dataDir)
  const dataFolder = await location.makeDataFolder(dataDir)
  locks.push(await lockFolder(dataDir))

  const known = await location.knownHome(dataDir)
  if (known) await followSafely(location.clusterIn(known))
  const account = await databaseAccount(known && (await clusterOwner(known)))
  if (account && dataFolder === 'made') await location.letPass(dataDir, account)
  const home = known ?? (await location.chooseHome(dataDir, account, systemFolders))
  const cluster = location.clusterIn(home)
  if (home.outside) locks.push(await lockFolder(home.folder))
  if (account && !(await location.canReach(account, home.folder))) throw outOfReach(home.folder, account)

  const { binaries, version } = await usableBinaries(installed, account, systemFolders)
  if (known) await stopLeftover(cluster, log)
  const { password, made } = await ensureCluster({ ...options, dataDir, home, binaries, version, account })
  const { server, port } = await listen({ ...options, postgres: binaries.postgres, cluster, account })
  const url = `postgres://${ROLE}:${password}@127.0.0.1:${port}/${DATABASE}`
  try {
    await ensureDatabase(url)
  } catch (error) {
    await server.stop()
    throw wrongPassword(error, dataDir) ?? error
  }
  let stopped: Promise<void> | undefined
  log.info({ version, data: cluster, port, postmaster: server.pid, made }, 'embedded database started')
  return {
    url,
    version,
    location: { data: cluster, binaries: binaries.folder, port, pid: server.pid },
    stop() {
      stopped ??= server.stop().then(release)
      return stopped
    },
    died: server.died,
  }
}

/** The installed programs if the account can run them where they are, else a copy of them where it can. */
async function usableBinaries(
  installed: Binaries,
  account: Account | undefined,
  systemFolders: readonly string[],
): Promise<{ binaries: Binaries; version: string }> {
  const version = await versionOf(installed, account)
  if (version) return { binaries: installed, version }
  if (account) {
    const name = `postgres-${await packageVersion(installed)}-${process.arch}`
    const binaries = await copyBinaries(
      installed,
      join(await location.systemFolder(account, systemFolders), name),
    )
    const copied = await versionOf(binaries, account)
    if (copied) return { binaries, version: copied }
  }
  throw new StartError(
    `The programs of the embedded PostgreSQL in ${installed.folder} may not be run by the user of the server.`,
    'Give that user permission to read and run them, or run npm install as that user.',
  )
}

/** The free port may be gone by the time PostgreSQL asks for it. */
async function listen(
  options: Omit<Parameters<typeof startPostmaster>[0], 'port'>,
): Promise<{ server: Postmaster; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      return { server: await startPostmaster({ ...options, port }), port }
    } catch (error) {
      const taken = /could not bind|could not create any TCP\/IP sockets/.test((error as Error).message)
      if (!taken || attempt === PORT_ATTEMPTS) {
        throw explainFailure('start the embedded database', options.cluster, error)
      }
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Proves that the password opens the server, and makes our database on the first start. */
async function ensureDatabase(url: string): Promise<void> {
  const client = postgres(url, { database: 'postgres', max: 1, fetch_types: false, connect_timeout: 10 })
  try {
    const found = await client`select 1 from pg_database where datname = ${DATABASE}`
    if (found.length === 0) await client`create database ${client(DATABASE)}`
  } finally {
    await client.end({ timeout: 5 })
  }
}

function wrongPassword(error: unknown, dataDir: string): StartError | undefined {
  if ((error as { code?: unknown }).code !== '28P01') return undefined
  const file = join(dataDir, 'postgres-password')
  return new StartError(
    `The password in ${file} is not that of the database.`,
    `Remove ${file}: the next start sets a new password. No data is lost.`,
  )
}

function outOfReach(folder: string, account: Account): StartError {
  return new StartError(
    `PostgreSQL does not run as root, and its account (uid ${account.uid}) cannot enter ${folder}, where the database lies.`,
    `Let it pass through the folders above (chmod o+x), or move the data folder to where all users can enter.`,
  )
}
