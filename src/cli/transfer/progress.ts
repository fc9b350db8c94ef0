// A progress bar over rows, where there is a terminal to draw it on.
import { SingleBar } from 'cli-progress'
import type { CommandIo } from '../command.ts'

export interface Progress {
  show(done: number, total: number): void
  stop(): void
}

export function rowProgress(what: string, { progress }: CommandIo): Progress {
  const bar = progress
    ? new SingleBar({ format: `${what} [{bar}] {percentage}% {value}/{total} rows`, stream: progress })
    : null
  let begun = false
  return {
    show(done, total) {
      if (!begun) bar?.start(total, done)
      else bar?.update(done)
      begun = true
    },
    stop: () => bar?.stop(),
  }
}
