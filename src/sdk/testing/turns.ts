// Turns of the real event loop, for a virtual clock to wait until what is under way has come to rest.

/** More steps than any chain of promises takes between two signs of life. */
const MICROTASKS = 40

/** Node's; elsewhere the shortest timer. */
const { setImmediate } = globalThis as { setImmediate?: (work: () => void) => void }

/** Lets every promise that needs nothing from outside go on. */
export async function flushMicrotasks(): Promise<void> {
  for (let i = 0; i < MICROTASKS; i++) await null
}

/** One turn of the event loop. What takes its real time, as cryptography does, is waited for by count. */
export function passTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate) setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
