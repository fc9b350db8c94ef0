// Tells processes apart beyond their number, which is reused. Reads /proc on Linux and asks ps elsewhere; signals nobody.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename } from 'node:path'

const LINUX = process.platform === 'linux'

/** Where a process number means something: one boot of one machine, and one PID namespace (container). */
export function processScope(): string {
  if (!LINUX) return hostname()
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
}

/**
 * When the process started, in whatever form the system gives it; only for comparison. `undefined` when there is no
 * such process or only its unreaped remains, `unknown` when it exists and is hidden from us.
 */
export function startTimeOf(pid: number): string | undefined {
  if (!numberIsTaken(pid)) return undefined
  try {
    if (!LINUX) return psStartTime(pid)
    // proc(5): the name in brackets may itself hold brackets; then come state (3rd field) … starttime (22nd).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return numberIsTaken(pid) ? 'unknown' : undefined
  }
}

/** Whether the process that was seen with this number and start time still runs. */
export function stillRuns(pid: number, startTime: string): boolean {
  const now = startTimeOf(pid)
  return now !== undefined && (now === startTime || now === 'unknown' || startTime === 'unknown')
}

/**
 * The PostgreSQL processes that serve the cluster in `folder`. Every one of them has it as its working directory, so
 * a stranger that got an old number is never among them. Without /proc only the postmaster is found, by its command.
 */
export function processesOfCluster(folder: string): number[] {
  const real = realpathSync(folder)
  return LINUX ? linuxProcessesIn(real) : posixPostmastersOf(real)
}

function linuxProcessesIn(folder: string): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  return pids.filter((pid) => {
    try {
      const program = basename(readlinkSync(`/proc/${pid}/exe`))
      return readlinkSync(`/proc/${pid}/cwd`) === folder && /^postgres( \(deleted\))?$/.test(program)
    } catch {
      return false
    }
  })
}

function posixPostmastersOf(folder: string): number[] {
  const listing = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' })
  return listing.split('\n').flatMap((line) => {
    const [, pid, command = ''] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? []
    return pid && /(^|\/)postgres -D /.test(command) && command.includes(`-D ${folder} `) ? [Number(pid)] : []
  })
}

function psStartTime(pid: number): string | undefined {
  const [state = '', ...start] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
  })
    .trim()
    .split(/\s+/)
  return state.startsWith('Z') ? undefined : start.join(' ')
}

/** Whether the number stands for anything at all, be it only the unreaped remains of a process. */
export function numberIsTaken(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
