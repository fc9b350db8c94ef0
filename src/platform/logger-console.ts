// Logging on Workers: one JSON line each, through the console, with the members that logger-pino.ts writes.
import { type Clock, systemClock } from './clock.ts'
import { LOG_LEVELS, type Logger, type LogLevel } from './logger.ts'
import { redact, redactText } from './redact.ts'

type WrittenLevel = Exclude<LogLevel, 'silent'>

export interface ConsoleLoggerOptions {
  readonly level: LogLevel
  readonly clock?: Clock
  readonly write?: (level: WrittenLevel, line: string) => void
}

/** Each line goes to the console method of its level, where the runtime's own log filter looks for it. */
export function consoleLogger(options: ConsoleLoggerOptions): Logger {
  return make(options, {})
}

function make(options: ConsoleLoggerOptions, always: Record<string, unknown>): Logger {
  const { level: least, clock = systemClock, write = toConsole } = options
  const at = (level: WrittenLevel) => (fields: object, message: string) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return
    const line = {
      level,
      time: clock.now().toISOString(),
      ...always,
      ...redact(fields),
      msg: redactText(message),
    }
    write(level, JSON.stringify(line))
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => make(options, { ...always, ...redact(fields) }),
  }
}

function toConsole(level: WrittenLevel, line: string): void {
  // biome-ignore lint/suspicious/noConsole: the console is where a Worker's log lines go.
  console[level](line)
}
