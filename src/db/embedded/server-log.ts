// Turns PostgreSQL's log lines into structured lines of ours. Leaves out what may hold row values or parameters.
import type { Logger } from '../../platform/logger.ts'

/** Backend type and SQLSTATE, for `log_line_prefix`. */
export const LINE_PREFIX = '%b|%e|'
const LINE = /^([^|]*)\|([0-9A-Z]{5})\|([A-Z]+\d?):\s+(.*)$/
/** What an operator wants to read although PostgreSQL calls it LOG, like the routine messages. */
const NOTABLE = /interrupted|not properly shut down|recovery|redo|terminated by signal|in progress/
const CLIENT = new Set(['client backend', 'parallel worker'])

export interface ServerLine {
  readonly backend: string
  readonly sqlstate: string
  readonly severity: string
  readonly message: string
}

/** `undefined` for a line that does not begin a message. */
export function parseServerLine(line: string): ServerLine | undefined {
  const [, backend, sqlstate, severity, message] = LINE.exec(line) ?? []
  if (backend === undefined || !sqlstate || !severity || message === undefined) return undefined
  return { backend, sqlstate, severity, message }
}

/** Logs one line; `undefined` parts (a continued message) are left out with the values they may hold. */
export function logServerLine(log: Logger, line: ServerLine): void {
  const level = levelOf(line)
  if (!level) return
  log[level]({ source: 'postgres', backend: line.backend, sqlstate: line.sqlstate }, line.message)
}

function levelOf({
  backend,
  sqlstate,
  severity,
  message,
}: ServerLine): 'debug' | 'info' | 'warn' | 'error' | undefined {
  const client = CLIENT.has(backend)
  switch (severity) {
    case 'PANIC':
      return 'error'
    case 'FATAL':
      if (!client) return 'error'
      // 57P01 to 57P03: told to leave, or came too early or too late. Routine at start and stop.
      return sqlstate.startsWith('57P0') ? 'debug' : 'warn'
    case 'ERROR':
      // The client was told, and reports it with its own context; the message may quote its data.
      return client ? undefined : 'error'
    case 'WARNING':
      return client ? undefined : 'warn'
    case 'LOG':
      return NOTABLE.test(message) ? 'info' : 'debug'
    default:
      return undefined
  }
}
