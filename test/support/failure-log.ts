// Silent but for errors: an unforeseen failure of the server shows in the test's output.
import { inspect } from 'node:util'
import type { Logger } from '../../src/platform/logger.ts'
import { silentLog } from './silent-log.ts'

export const failureLog: Logger = {
  ...silentLog,
  error: (fields, message) => process.stderr.write(`${message} ${inspect(fields)}\n`),
  child: () => failureLog,
}
