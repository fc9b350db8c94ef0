// Keeps work that is asked for by others within a pace. Does not wait for what the work does.

/** At once, and then at most once in `ms` milliseconds; what was asked for meanwhile is done once, at the end of that. */
export function paced(ms: number, work: () => void): () => void {
  let resting: NodeJS.Timeout | undefined
  let asked = false
  const run = (): void => {
    asked = false
    resting = setTimeout(() => {
      resting = undefined
      if (asked) run()
    }, ms)
    resting.unref()
    work()
  }
  return () => {
    if (resting) asked = true
    else run()
  }
}
