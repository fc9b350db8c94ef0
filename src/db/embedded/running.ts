// How to reach the embedded database that another process of this machine has started: for commands that look at a
// running server. Starts, stops and changes nothing.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DATABASE, ROLE } from './cluster.ts'
import { clusterIn, knownHome } from './location.ts'
import { processesOfCluster } from './process-identity.ts'

/** Line of `postmaster.pid` that holds the port (PostgreSQL: miscadmin.h, LOCK_FILE_LINE_PORT), from 0. */
const PORT_LINE = 3

/** Its URL, which holds the password: never log it. Null where none runs. @throws StartError as `knownHome` does. */
export async function runningCluster(dataDir: string): Promise<string | null> {
  const home = await knownHome(dataDir)
  if (!home || processesOfCluster(clusterIn(home)).length === 0) return null
  const port = (await textOf(join(clusterIn(home), 'postmaster.pid'))).split('\n')[PORT_LINE]?.trim() ?? ''
  const password = (await textOf(join(dataDir, 'postgres-password'))).trim()
  if (!/^\d+$/.test(port) || password === '') return null
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${DATABASE}`
}

const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '')
