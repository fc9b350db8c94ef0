// Logging on Node: one JSON line each, through pino.
import { type DestinationStream, type Logger as Pino, pino } from 'pino'
import type { Logger, LogLevel } from './logger.ts'
import { redact, redactText } from './redact.ts'

/** Writes to `stream`, by default standard output. */
export function pinoLogger(options: { level: LogLevel; stream?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: { pid: process.pid },
    timestamp: isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return wrap(options.stream ? pino(settings, options.stream) : pino(settings))
}

let lastMs = 0
let lastTime = ''

/** Many lines are written in one millisecond. */
function isoTime(): string {
  const now = Date.now()
  if (now !== lastMs) {
    lastMs = now
    lastTime = `,"time":"${new Date(now).toISOString()}"`
  }
  return lastTime
}

function wrap(target: Pino): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) => {
    if (target.isLevelEnabled(level)) target[level](redact(fields), redactText(message))
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(target.child(redact(fields))),
  }
}
