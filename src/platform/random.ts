// Random bytes from the runtime's secure generator. A function type, so that tests can give their own.

export type RandomBytes = (n: number) => Uint8Array

/** `n` secure random bytes, at most 65 536. */
export const randomBytes: RandomBytes = (n) => crypto.getRandomValues(new Uint8Array(n))

/** `n` secure random bytes as `2n` lower-case hex digits. */
export function randomHex(n: number): string {
  return Buffer.from(randomBytes(n)).toString('hex')
}
