// Repeats work on a timer that keeps no process running; one run at a time, and none after the stop.

export interface Repeating {
  /** No further run; resolves when the one under way has ended. */
  stop(): Promise<void>
}

/** Runs `work` every `ms` after the run before it has ended, first after `first` ms. `work` handles its own errors. */
export function repeat(work: () => Promise<void>, ms: number, first: number = ms): Repeating {
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let timer = setTimeout(tick, first).unref()
  function tick(): void {
    running = work().finally(() => {
      if (!stopped) timer = setTimeout(tick, ms).unref()
    })
  }
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
      return running
    },
  }
}
