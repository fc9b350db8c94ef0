// The data folder as it lies on the disk: who may read it, how much room is left, who uses it, what was left behind.
// Changes nothing, and reads no secret.
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { claimsOn } from '../../db/embedded/folder-lock.ts'
import { clusterIn, knownHome } from '../../db/embedded/location.ts'
import { processesOfCluster } from '../../db/embedded/process-identity.ts'
import { counted, type Finding, ok, problem, warning } from './finding.ts'

const SECRET_FILES = ['master-key', 'root-key.pem', 'credentials.json', 'postgres-password']
/** What an interrupted start or write leaves. */
const LEFT_BEHIND =
  /^(postgres\.new-|(master-key|root-key\.pem|credentials\.json|postgres-password)\.[0-9a-f]{12}$)/
const MEBIBYTE = 1024 * 1024
const SCARCE = 1024 * MEBIBYTE
const FULL = 100 * MEBIBYTE

/** Everything about the folder; one finding alone where there is none. */
export async function examineFolder(dataDir: string): Promise<Finding[]> {
  const found = await stat(dataDir).catch(() => null)
  if (found === null) {
    const fix = 'Start the server, which makes it, or set LEASEHOLD_DATA_DIR to where it lies.'
    return [warning('data folder', `${dataDir} is not there.`, fix)]
  }
  return [
    await modes(dataDir, found.mode),
    await room(dataDir),
    await locks(dataDir),
    await leftBehind(dataDir),
  ]
}

async function modes(dataDir: string, mode: number): Promise<Finding> {
  if ((mode & 0o022) !== 0) {
    return problem('file modes', `Other users may write into ${dataDir}.`, `chmod go-w ${dataDir}`)
  }
  const open: string[] = []
  for (const name of SECRET_FILES) {
    const found = await stat(join(dataDir, name)).catch(() => null)
    if (found !== null && (found.mode & 0o077) !== 0) open.push(join(dataDir, name))
  }
  if (open.length > 0) {
    return problem(
      'file modes',
      `Other users may read ${open.join(', ')}.`,
      `chmod 600 ${open.join(' ')}; and if somebody did read them, make new keys: leasehold master-key rotate, admin keys.`,
    )
  }
  if ((mode & 0o044) !== 0) {
    return warning('file modes', `Other users may list ${dataDir}.`, `chmod go-r ${dataDir}`)
  }
  return ok('file modes', `${dataDir} and its secrets are closed to other users.`)
}

async function room(dataDir: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(dataDir)
  const free = bavail * bsize
  const detail = `${Math.floor(free / MEBIBYTE)} MiB are free on the disk of ${dataDir}.`
  const fix = 'Make room, or shorten the retentions (LEASEHOLD_RETENTION_…).'
  if (free < FULL) return problem('disk', detail, fix)
  return free < SCARCE ? warning('disk', detail, fix) : ok('disk', detail)
}

async function locks(dataDir: string): Promise<Finding> {
  const claims = await claimsOn(dataDir)
  const living = claims.find(({ alive }) => alive)
  const dead = claims.filter(({ alive }) => !alive)
  if (dead.length > 0) {
    const detail = `${counted(dead.length, 'lock')} of ended processes: ${dead.map(({ file }) => file).join(', ')}.`
    return warning('locks', detail, 'Nothing: the next start ignores and removes them.')
  }
  if (living) return ok('locks', `Used by process ${living.pid} on ${living.host}.`)
  const home = await knownHome(dataDir).catch(() => undefined)
  const running = home ? processesOfCluster(clusterIn(home)) : []
  if (running.length === 0) return ok('locks', 'No server uses the folder.')
  return warning(
    'locks',
    `A PostgreSQL still runs in ${dataDir} without its server (process ${running.join(', ')}).`,
    'Start the server: it stops that one first. No data is lost.',
  )
}

async function leftBehind(dataDir: string): Promise<Finding> {
  const names = (await readdir(dataDir)).filter((name) => LEFT_BEHIND.test(name))
  if (names.length === 0) return ok('leftovers', 'No start or write was interrupted.')
  const fix = 'Remove them while no server runs, unless a file without that ending is missing.'
  return warning('leftovers', `Left by an interrupted start or write: ${names.join(', ')}.`, fix)
}
