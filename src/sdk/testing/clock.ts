// Time for tests: a clock and timers that move only when the test says so. What a timer sets off is waited for.
import type { HostClock, HostTimers } from '../host/port.ts'
import { cryptoActivity, watchCrypto } from './crypto-watch.ts'
import { flushMicrotasks, passTurn } from './turns.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** What the port allows; Node would fire such a timer at once. */
const LONGEST_TIMER = 2 ** 31 - 1
/** Real turns without a sign of life after which nothing is going on any more. */
const QUIET_TURNS = 4
/** A timer that sets nothing off is not waited for; a real turn passes after this many of them all the same. */
const BREATH = 16
/** Real milliseconds. */
const SETTLE_WITHIN = 10_000
/** Virtual milliseconds. */
const DURING_AT_MOST = DAY

export interface VirtualClock extends HostClock {
  readonly timers: HostTimers
  /** Lets time pass: each timer that comes due runs at its time, and what it sets off is over before the next. */
  advance(ms: number): Promise<void>
  /** Lets time pass from timer to timer until `work` is done: for a start that waits for a slow server. */
  during<T>(work: Promise<T>): Promise<T>
  /** Someone sets the wall clock, or the machine sleeps: running time does not notice. */
  shiftWall(ms: number): void
  /** Waits until nothing is going on any more but timers. */
  settle(): Promise<void>
  /** For hosts of your own: something outside was asked for, and `work` is done when it was given. */
  track<T>(work: Promise<T>): Promise<T>
}

interface Timer {
  due: number
  work: () => void
}

/** A clock that starts at `start` (RFC 3339). */
export function virtualClock(start = '2026-01-01T00:00:00Z'): VirtualClock {
  watchCrypto()
  let wall = Date.parse(start)
  if (Number.isNaN(wall)) throw new RangeError(`not a time: ${start}`)
  let running = 0
  let pending = 0
  /** Asked for outside, and clock readings: signs of life. */
  let asked = 0
  let readings = 0
  let ran = 0
  /** By due time, then by age. */
  const queue: Timer[] = []

  function after(ms: number, work: () => void): () => void {
    if (!(ms <= LONGEST_TIMER)) throw new RangeError(`a timer of ${ms} ms is more than a platform can keep`)
    const timer = { due: running + Math.max(0, ms), work }
    const later = queue.findIndex(({ due }) => due > timer.due)
    queue.splice(later < 0 ? queue.length : later, 0, timer)
    return () => {
      const at = queue.indexOf(timer)
      if (at >= 0) queue.splice(at, 1)
    }
  }

  function track<T>(work: Promise<T>): Promise<T> {
    pending++
    asked++
    return work.finally(() => {
      pending--
      asked++
    })
  }

  const signs = () => asked + readings + cryptoActivity().started

  async function settle(): Promise<void> {
    const started = performance.now()
    let seen = -1
    for (let quiet = 0; quiet < QUIET_TURNS || pending > 0 || cryptoActivity().pending > 0; quiet++) {
      while (seen !== signs()) {
        seen = signs()
        quiet = 0
        await flushMicrotasks()
      }
      await passTurn()
      if (performance.now() - started > SETTLE_WITHIN) throw new Error('it does not come to rest')
    }
  }

  function moveTo(time: number): void {
    wall += time - running
    running = time
  }

  /** Runs the first timer. Most of them set nothing off, and are not waited for. */
  async function runFirst(timer: Timer): Promise<void> {
    queue.shift()
    moveTo(Math.max(running, timer.due))
    const before = asked
    timer.work()
    await flushMicrotasks()
    if (++ran % BREATH === 0) await passTurn()
    if (asked !== before || pending > 0 || cryptoActivity().pending > 0) await settle()
  }

  return {
    wall() {
      readings++
      return Math.floor(wall)
    },
    monotonic() {
      readings++
      return running
    },
    timers: { after },
    track,
    settle,
    shiftWall(ms) {
      wall += ms
    },
    async advance(ms) {
      if (!(ms >= 0)) throw new RangeError('time only passes forwards; shiftWall() turns the wall clock back')
      await settle()
      const end = running + ms
      for (let [first] = queue; first && first.due <= end; [first] = queue) await runFirst(first)
      moveTo(end)
      await settle()
    },
    async during(work) {
      let done = false
      const end = () => {
        done = true
      }
      work.then(end, end)
      const latest = running + DURING_AT_MOST
      for (;;) {
        await settle()
        if (done) return work
        const [first] = queue
        if (!first || first.due > latest) throw new Error('no timer is left that could end this')
        await runFirst(first)
      }
    },
  }
}
