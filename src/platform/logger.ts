// The logging port. Every implementation passes fields through `redact` before anything is written.

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

/** The least severe level that is written; `silent` writes nothing. */
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A logger that adds `fields` to every line. */
  child(fields: object): Logger
}

/** A child that is made when it first writes. */
export function lazyChild(parent: Logger, fields: object): Logger {
  let made: Logger | undefined
  const child = () => {
    made ??= parent.child(fields)
    return made
  }
  return {
    debug: (more, message) => child().debug(more, message),
    info: (more, message) => child().info(more, message),
    warn: (more, message) => child().warn(more, message),
    error: (more, message) => child().error(more, message),
    child: (more) => child().child(more),
  }
}
