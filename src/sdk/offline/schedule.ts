// When an installed license is validated again: 60 s after the start, then at 03:00 by the local clock (reference,
// section 4). And a look each minute at what another process has installed.
import type { Host } from '../host/port.ts'

const AFTER_START = 60_000
const LOOK = 60_000
const HOUR_OF_DAY = 3
/** A clock that was set back does not put the next run off for long. */
const LONGEST_WAIT = 25 * 3_600_000

/** The next 03:00 local time after `wall`, both in unix milliseconds; where a clock change skips it, the first moment after. */
export function nextRun(wall: number): number {
  const date = new Date(wall)
  date.setHours(HOUR_OF_DAY, 0, 0, 0)
  // A day of the calendar, which has 23 to 25 hours.
  if (date.getTime() <= wall) date.setDate(date.getDate() + 1)
  return date.getTime()
}

/** Runs until it is stopped; the returned function stops it. The work never rejects. */
export function keepValidating(
  { clock, timers }: Pick<Host, 'clock' | 'timers'>,
  { revalidate, look }: { revalidate(): Promise<void>; look(): Promise<void> },
): () => void {
  let stopped = false
  let cancel = () => {}
  let due: number | null = null
  let first = clock.monotonic() + AFTER_START

  async function turn(): Promise<void> {
    const wall = clock.wall()
    const isFirst = clock.monotonic() >= first
    const isDue = due !== null && wall >= due
    if (isFirst) first = Number.POSITIVE_INFINITY
    await (isFirst || isDue ? revalidate() : look())
    if (due === null || isDue || due - wall > LONGEST_WAIT) due = nextRun(clock.wall())
    wait()
  }

  function wait(): void {
    if (stopped) return
    const untilDue = (due ?? Number.POSITIVE_INFINITY) - clock.wall()
    cancel = timers.after(Math.max(1, Math.min(LOOK, untilDue)), () => {
      turn().catch(wait)
    })
  }

  due = nextRun(clock.wall())
  wait()
  return () => {
    stopped = true
    cancel()
  }
}
