// The one error that stops a request on purpose. The closed list of codes lives in contract/, the mapping in http/.

export interface AppErrorOptions {
  /** Members added to the problem document: what was refused, the current and the allowed value (T13). */
  readonly facts?: Record<string, unknown>
  /** What to do next, in plain words. */
  readonly fix?: string
  readonly headers?: Record<string, string>
  /** Logged, never shown. */
  readonly cause?: unknown
}

export class AppError<Code extends string = string> extends Error {
  override readonly name = 'AppError'
  readonly code: Code
  readonly facts?: Record<string, unknown>
  readonly fix?: string
  readonly headers?: Record<string, string>

  /** `detail` is shown to the caller: no secret, no SQL, nothing of the inside. */
  constructor(code: Code, detail: string, options: AppErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.facts) this.facts = options.facts
    if (options.fix !== undefined) this.fix = options.fix
    if (options.headers) this.headers = options.headers
  }
}
