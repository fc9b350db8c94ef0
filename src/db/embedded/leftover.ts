// A PostgreSQL that outlived its server: found by its working directory, never by a number alone, and stopped.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../platform/logger.ts'
import { StartError } from '../../platform/start-error.ts'
import { numberIsTaken, processesOfCluster } from './process-identity.ts'

const FAST_SHUTDOWN_MS = 10_000
const IMMEDIATE_SHUTDOWN_MS = 10_000
/** Backends whose postmaster was killed notice it and leave. */
const ORPHANS_LEAVE_MS = 2000

/**
 * Stops what still runs in the cluster, and removes a `postmaster.pid` whose number now belongs to somebody else (on
 * which PostgreSQL would refuse to start). Only for the holder of the folder's lock.
 * @throws StartError when it does not end.
 */
export async function stopLeftover(cluster: string, log: Logger): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid')
  const recorded = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0])
  const running = processesOfCluster(cluster)
  if (running.length > 0) {
    log.warn({ pids: running, cluster }, 'stopping the database that an earlier server left running')
    if (running.includes(recorded)) {
      signal([recorded], 'SIGINT')
      if (await ended(cluster, FAST_SHUTDOWN_MS)) return
    } else if (await ended(cluster, ORPHANS_LEAVE_MS)) {
      return stopLeftover(cluster, log)
    }
    signal(processesOfCluster(cluster), 'SIGQUIT')
    if (!(await ended(cluster, IMMEDIATE_SHUTDOWN_MS))) throw stuck(cluster)
    return stopLeftover(cluster, log)
  }
  if (recorded > 0 && numberIsTaken(recorded)) await rm(pidFile, { force: true })
}

async function ended(cluster: string, withinMs: number): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(20)) {
    if (processesOfCluster(cluster).length === 0) return true
  }
  return false
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

function stuck(cluster: string): StartError {
  const pids = processesOfCluster(cluster).join(', ')
  return new StartError(
    `A PostgreSQL of an earlier server still runs in ${cluster} and does not end (process ${pids}).`,
    `Find out what holds it (a full disk, a stopped process), end it, and start again.`,
  )
}
