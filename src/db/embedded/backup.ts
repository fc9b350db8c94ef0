// Copies a cluster, while it runs or while it does not, so that PostgreSQL starts in the copy with everything that was
// committed. Changes nothing in the cluster.
import { randomBytes } from 'node:crypto'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { copyDurably, copyTree, synced, type Wanted } from './copy-tree.ts'

/** PostgreSQL: "Making a Non-Exclusive Low-Level Backup"; these belong to the running server, or are made anew. */
const OF_THE_RUN = new Set(['postmaster.pid', 'postmaster.opts', 'backup_label.old'])
const EMPTIED = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
])
const TEMPORARY = /(^|\/)(pgsql_tmp[^/]*|pg_internal\.init[^/]*|t\d+_\d+[^/]*)$/
/** Segments of the log, and what is said of them. */
const SEGMENT = /^[0-9A-F]{24}$/

const ofTheData: Wanted = (path) => {
  const [folder = '', inside] = path.split('/')
  return !(OF_THE_RUN.has(path) || (EMPTIED.has(folder) && inside !== undefined) || TEMPORARY.test(path))
}

/** A cluster in which nothing runs. `to` must not exist. */
export async function copyStoppedCluster(cluster: string, to: string): Promise<void> {
  await copyTree(cluster, to, ofTheData)
}

/**
 * The cluster behind `url`, whose files lie in `cluster`, while it answers requests. `to` must not exist. The log that
 * was written meanwhile is copied last; a slot keeps PostgreSQL from reusing it before.
 */
export async function copyRunningCluster(url: string, cluster: string, to: string): Promise<void> {
  // Start and stop of a backup must come over one and the same connection.
  const sql = postgres(url, { max: 1, max_lifetime: null, fetch_types: false, onnotice: () => {} })
  try {
    const slot = `leasehold_backup_${randomBytes(6).toString('hex')}`
    await sql`select pg_create_physical_replication_slot(${slot}, true, true)`
    await sql`select pg_backup_start('leasehold', true)`
    await copyTree(cluster, to, (path, isFolder) => {
      return ofTheData(path, isFolder) && (isFolder || !path.startsWith('pg_wal/'))
    })
    const [stopped] = await sql`
      select labelfile, pg_walfile_name(lsn) as last from pg_backup_stop(false)`
    const label = String(stopped?.labelfile)
    const first = /^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)$/m.exec(label)?.[1]
    if (first === undefined) throw new Error('PostgreSQL told no start of the backup')
    for (const segment of await segmentsOf(cluster, first, String(stopped?.last))) {
      await copyDurably(join(cluster, 'pg_wal', segment), join(to, 'pg_wal', segment))
    }
    await writeDurably(join(to, 'backup_label'), label)
    for (const folder of [join(to, 'pg_wal'), to]) await synced(folder)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

async function segmentsOf(cluster: string, first: string, last: string): Promise<string[]> {
  const names = (await readdir(join(cluster, 'pg_wal'))).filter((name) => SEGMENT.test(name)).sort()
  const wanted = names.filter((name) => name >= first && name <= last)
  if (wanted[0] !== first || wanted.at(-1) !== last) throw new Error('the log of the backup is not whole')
  return wanted
}

async function writeDurably(file: string, content: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
