// Moves the wall clock of a process while it runs: each SIGUSR2 takes the next step. Given to Node as an import.

/** Steps in milliseconds against the true time. `NODE_OPTIONS` for a process. */
export function movedClock(steps: readonly number[]): string {
  const code = `
    const real = Date.now, steps = ${JSON.stringify(steps)};
    let at = -1;
    Date.now = () => real() + (steps[at] ?? 0);
    process.on('SIGUSR2', () => { at += 1 });`
  return `--import=data:text/javascript,${encodeURIComponent(code)}`
}
