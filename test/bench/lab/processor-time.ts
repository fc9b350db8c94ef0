// Processor time of a process and all its descendants, from /proc. Linux only; elsewhere it is unknown.
import { readdirSync, readFileSync } from 'node:fs'

/** Ticks a second in /proc: fixed for user space on Linux. */
const TICKS = 100

interface Stat {
  parent: number
  ticks: number
}

/** Milliseconds that the process, its descendants and those of them that ended have used; NaN where unknown. */
export function processorMs(root: number): number {
  const stats = new Map<number, Stat>()
  try {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const stat = read(Number(name))
      if (stat) stats.set(Number(name), stat)
    }
  } catch {
    return Number.NaN
  }
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at !== 0; at = stats.get(at)?.parent) {
      if (at === root) return true
    }
    return false
  }
  let ticks = 0
  for (const [pid, stat] of stats) if (isBelow(pid)) ticks += stat.ticks
  return (ticks * 1000) / TICKS
}

/** Fields 4 (parent) and 14 to 17 (user and system time, own and of children that ended) of proc_pid_stat(5). */
function read(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const number = (field: number) => Number(fields[field - 3])
    return { parent: number(4), ticks: number(14) + number(15) + number(16) + number(17) }
  } catch {
    return null
  }
}
