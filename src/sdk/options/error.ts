// The error of a programmer's mistake. Apart from the check, whose types are nobody's outside.

/** Thrown by startLicense, and only for this. */
export class LicenseOptionsError extends TypeError {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`startLicense: ${problems.join('; ')}`)
    this.name = 'LicenseOptionsError'
    this.problems = problems
  }
}
