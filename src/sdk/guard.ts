// What the product hands in, kept from hurting it: callbacks and loggers that throw, reject, or answer nonsense.
import type { HostTimers } from './host/port.ts'

/** Calls it; whatever comes of it, now or later, is told to `onError` at most. */
export function callSafely(call: () => unknown, onError: (error: unknown) => void): void {
  try {
    const result = call()
    // An async function that fails is as harmless as another; any thenable may be one.
    if (isThenable(result)) Promise.resolve(result).then(() => {}, onError)
  } catch (error) {
    onError(error)
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** An error in words. Never throws: what is thrown need not be an Error, nor be able to say what it is. */
export function wordsOf(error: unknown): string {
  try {
    return (error instanceof Error ? error.message : String(error)).slice(0, 500)
  } catch {
    return 'an error without words'
  }
}

/** Resolves when the work is done, has failed, or has taken `ms` milliseconds: a disk that hangs holds nobody up. */
export function within(work: Promise<unknown>, ms: number, timers: HostTimers): Promise<void> {
  return new Promise((resolve) => {
    const cancel = timers.after(ms, resolve)
    const end = () => {
      cancel()
      resolve()
    }
    work.then(end, end)
  })
}
