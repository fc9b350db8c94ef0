// Logging on Node: one JSON line each, through pino.
import { type DestinationStream, type Logger as Pino, pino, stdTimeFunctions } from 'pino'
import type { Logger, LogLevel } from './logger.ts'
import { redact, redactText } from './redact.ts'

/** Writes to `stream`, by default standard output. */
export function pinoLogger(options: { level: LogLevel; stream?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: { pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return wrap(options.stream ? pino(settings, options.stream) : pino(settings))
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
