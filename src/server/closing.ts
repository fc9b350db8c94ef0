// What was opened is closed in reverse order, whatever happened in between.
import type { Logger } from '../platform/logger.ts'

export interface Closing {
  /** `close` runs at the end, before everything that was added earlier. */
  add(what: string, close: () => Promise<void>): void
  /** Closes everything. A failure is logged, and the rest closed nonetheless. */
  run(): Promise<void>
}

export function closing(log: Logger): Closing {
  const opened: { what: string; close: () => Promise<void> }[] = []
  return {
    add(what, close) {
      opened.push({ what, close })
    },
    async run() {
      for (const { what, close } of opened.splice(0).reverse()) {
        await close().catch((error: unknown) => log.error({ err: error, what }, 'could not close'))
      }
    },
  }
}
