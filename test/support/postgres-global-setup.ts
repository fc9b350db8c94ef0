// What a whole test run shares: one embedded PostgreSQL with a template database that has the schema, and the server as
// a bundle. Started by vitest.
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import { bundle } from '../../scripts/bundle.ts'
import { isLocked } from '../../src/db/embedded/folder-lock.ts'
import { stopLeftover } from '../../src/db/embedded/leftover.ts'
import { startEmbeddedPostgres } from '../../src/db/embedded/start.ts'
import { migrate } from '../../src/db/migrate.ts'
import { silentLog } from './silent-log.ts'
import { TEMPORARY, temporaryFolder } from './temporary-folder.ts'

const PREFIX = 'leasehold-test-run-'
const TEMPLATE = 'leasehold_template'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The run's database server: its `postgres` database, and the database to clone. */
    testDatabase: { adminUrl: string; template: string }
    /** `src/node.ts` as a bundle, and where its compiled form may be kept. */
    serverProgram: { path: string; compiled: string }
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeAbandoned()
  const folder = await temporaryFolder(PREFIX)
  const database = await startEmbeddedPostgres({
    dataDir: join(folder, 'data'),
    log: silentLog,
    durable: false,
  })
  const teardown = async () => {
    await database.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const adminUrl = urlOf(database.url, 'postgres')
    const [{ program }] = await Promise.all([bundle('src/node.ts', folder), makeTemplate(adminUrl)])
    project.provide('testDatabase', { adminUrl, template: TEMPLATE })
    project.provide('serverProgram', { path: program, compiled: join(folder, 'compiled') })
  } catch (error) {
    await teardown()
    throw error
  }
  return teardown
}

/** A template that nobody can connect to has no open connection that could hinder a clone. */
async function makeTemplate(adminUrl: string): Promise<void> {
  const client = postgres(adminUrl, { max: 1, onnotice: () => {} })
  try {
    await client`create database ${client(TEMPLATE)}`
    await migrate(urlOf(adminUrl, TEMPLATE))
    await client`alter database ${client(TEMPLATE)} with allow_connections false is_template true`
  } finally {
    await client.end({ timeout: 5 })
  }
}

function urlOf(url: string, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}

/** What a killed test run left running and lying about, once it is old enough not to be one that is just starting. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(TEMPORARY)) {
    if (!name.startsWith(PREFIX)) continue
    const folder = join(TEMPORARY, name)
    const data = join(folder, 'data')
    try {
      const { uid, mtimeMs } = await lstat(folder)
      if (uid !== process.getuid?.() || mtimeMs > Date.now() - 60_000 || (await isLocked(data))) continue
      await stopLeftover(join(data, 'postgres'), silentLog)
      await rm(folder, { recursive: true, force: true })
    } catch {
      // Another run removes it at this very moment, or it holds nothing that runs.
    }
  }
}
