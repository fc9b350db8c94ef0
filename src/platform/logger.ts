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

/** A child that is made when it first writes: most requests write nothing of their own. */
export const lazyChild = (parent: Logger, fields: object): Logger => new LazyChild(parent, fields)

class LazyChild implements Logger {
  readonly #parent: Logger
  readonly #fields: object
  #made: Logger | undefined

  constructor(parent: Logger, fields: object) {
    this.#parent = parent
    this.#fields = fields
  }

  get #child(): Logger {
    this.#made ??= this.#parent.child(this.#fields)
    return this.#made
  }

  debug(fields: object, message: string): void {
    this.#child.debug(fields, message)
  }

  info(fields: object, message: string): void {
    this.#child.info(fields, message)
  }

  warn(fields: object, message: string): void {
    this.#child.warn(fields, message)
  }

  error(fields: object, message: string): void {
    this.#child.error(fields, message)
  }

  child(fields: object): Logger {
    return this.#child.child(fields)
  }
}
