// A logger for code under test whose lines nobody reads.
import type { Logger } from '../../src/platform/logger.ts'

const nothing = () => {}

export const silentLog: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLog,
}
