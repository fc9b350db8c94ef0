// One server a folder. Each starter files a claim under a name of its own and then looks for others: whoever sees a
// living claim beside its own withdraws. So no lock is ever taken over, and a dead process's claim is just ignored.
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from '../../platform/start-error.ts'
import { processScope, startTimeOf, stillRuns } from './process-identity.ts'

const CLAIM = /^server-\d+-[0-9a-f]+\.lock$/
const HEARTBEAT_MS = 2000
/** A claim from where we cannot see processes (another container or machine) is dead after three missed beats. */
const WATCH_MS = 6500
/** Older than this, nobody is beating; no need to watch. */
const LONG_DEAD_MS = 30_000
/** A claim that cannot be read may just be being written, for this long. */
const BEING_WRITTEN_MS = 1000
const PATIENCE_MS = 400

interface Claim {
  readonly pid: number
  readonly startTime: string
  readonly scope: string
  readonly host: string
  /** Milliseconds; only tells the holder from those that ask for the same folder just now. */
  readonly since: number
}

export interface FolderLock {
  release(): Promise<void>
}

/**
 * Claims `folder` for this process until `release`. Two simultaneous starters: exactly one gets it. A claim whose
 * process is gone (also when its number was reused, or after a reboot) does not count.
 * @throws StartError naming the folder and the process that holds it.
 */
export async function lockFolder(folder: string, watchMs: number = WATCH_MS): Promise<FolderLock> {
  const mine = join(folder, `server-${process.pid}-${randomBytes(6).toString('hex')}.lock`)
  const claim: Claim = {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? 'unknown',
    scope: processScope(),
    host: hostname(),
    since: Date.now(),
  }
  const dead = new Set<string>()
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    await writeFile(mine, JSON.stringify(claim), { flag: 'wx', mode: 0o600 })
    const holder = await livingClaim(folder, mine, dead, watchMs)
    if (!holder) break
    await rm(mine, { force: true })
    if (Date.now() > deadline) throw inUse(folder, holder)
    // Two that met both withdraw; a random pause decides who comes back first.
    await sleep(5 + Math.random() * 60)
  }
  for (const file of dead) await rm(file, { force: true })
  const heartbeat = setInterval(() => void beat(mine), HEARTBEAT_MS).unref()
  return {
    async release() {
      clearInterval(heartbeat)
      await rm(mine, { force: true })
    },
  }
}

/** Whether a living process holds `folder`. Only looks: the answer may be old when it arrives. */
export async function isLocked(folder: string): Promise<boolean> {
  return (await livingClaim(folder, '', new Set(), WATCH_MS)) !== undefined
}

export interface ClaimSeen {
  file: string
  /** Null where the claim cannot be read. */
  pid: number | null
  host: string | null
  alive: boolean
}

/** Every claim on `folder`. Only looks. */
export async function claimsOn(folder: string): Promise<ClaimSeen[]> {
  const seen: ClaimSeen[] = []
  for (const name of (await readdir(folder)).filter((one) => CLAIM.test(one))) {
    const file = join(folder, name)
    const claim = await readClaim(file)
    const alive = await isAlive(file, claim, WATCH_MS)
    seen.push({ file, pid: claim?.pid ?? null, host: claim?.host ?? null, alive })
  }
  return seen
}

async function livingClaim(
  folder: string,
  mine: string,
  dead: Set<string>,
  watchMs: number,
): Promise<Partial<Claim> | undefined> {
  let oldest: Partial<Claim> | undefined
  for (const name of await readdir(folder)) {
    const file = join(folder, name)
    if (!CLAIM.test(name) || file === mine || dead.has(file)) continue
    const claim = await readClaim(file)
    if (!(await isAlive(file, claim, watchMs))) dead.add(file)
    else if (!oldest || (claim?.since ?? Infinity) < (oldest.since ?? Infinity)) oldest = claim ?? {}
  }
  return oldest
}

async function isAlive(file: string, claim: Claim | undefined, watchMs: number): Promise<boolean> {
  if (claim?.scope === processScope()) return stillRuns(claim.pid, claim.startTime)
  const seen = await modified(file)
  if (seen === undefined) return false
  const age = Math.abs(Date.now() - seen)
  if (!claim) return age < BEING_WRITTEN_MS
  if (age > LONG_DEAD_MS) return false
  for (const until = Date.now() + watchMs; Date.now() < until; await sleep(100)) {
    const now = await modified(file)
    if (now !== seen) return now !== undefined
  }
  return false
}

async function readClaim(file: string): Promise<Claim | undefined> {
  try {
    const claim = JSON.parse(await readFile(file, 'utf8')) as Partial<Claim>
    const whole =
      Number.isSafeInteger(claim.pid) && (claim.pid ?? 0) > 0 && typeof claim.startTime === 'string'
    return whole ? (claim as Claim) : undefined
  } catch {
    return undefined
  }
}

async function modified(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.mtimeMs
}

async function beat(file: string): Promise<void> {
  const now = new Date()
  await utimes(file, now, now).catch(() => {})
}

function inUse(folder: string, holder: Partial<Claim>): StartError {
  const where = holder.host && holder.host !== hostname() ? ` on ${holder.host}` : ''
  return new StartError(
    `Another server already uses the data folder ${folder}: process ${holder.pid ?? 'unknown'}${where}.`,
    'Stop that process, or set LEASEHOLD_DATA_DIR to another folder. For several processes, share one DATABASE_URL.',
  )
}
