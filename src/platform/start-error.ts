// A problem that stops the start of a process. Its text is for the operator: no stack, no secret.

export class StartError extends Error {
  override readonly name = 'StartError'
  /** What the operator can do about it. */
  readonly fix: string

  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options)
    this.fix = fix
  }
}
