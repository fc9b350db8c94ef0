// Bounds V8's young generation, which is settled before any code of ours runs. Knows nothing of what fills it.

const FLAG = '--max-semi-space-size'
/**
 * Megabytes of each of the two semi-spaces. V8 lets them grow to 64 and hardly ever gives them back: 100 MB more than
 * the server uses from its start on.
 */
const MOST = 16

/**
 * Where nobody has set a bound, puts the same program with one in this process's place: same id, same input and output.
 * Goes on without one where that cannot be done, as under a parent that talks to this process (`node --watch`).
 */
export function boundYoungGeneration(): void {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ').replaceAll('_', '-')
  if (given.includes(FLAG) || process.channel || process.execve === undefined) return
  const args = [process.execPath, `${FLAG}=${MOST}`, ...process.execArgv, ...process.argv.slice(1)]
  try {
    process.execve(process.execPath, args, process.env)
  } catch {
    // Not on this platform, or not permitted.
  }
}
