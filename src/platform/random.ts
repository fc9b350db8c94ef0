// Random bytes from the runtime's secure generator. A function type, so that tests can give their own.

export type RandomBytes = (n: number) => Uint8Array

/** Asking the generator costs the same for 16 bytes as for many. */
const POOL_BYTES = 4096
const MOST_FROM_POOL = 64

let pool = new Uint8Array(0)
let used = 0

/** `n` secure random bytes, at most 65 536. */
export const randomBytes: RandomBytes = (n) => (n <= MOST_FROM_POOL ? fromPool(n) : fresh(n))

const fresh = (n: number) => crypto.getRandomValues(new Uint8Array(n))

/** No byte is given out twice, nor left in the pool once it is. */
function fromPool(n: number): Uint8Array {
  if (used + n > pool.length) {
    pool = fresh(POOL_BYTES)
    used = 0
  }
  const bytes = pool.slice(used, used + n)
  pool.fill(0, used, used + n)
  used += n
  return bytes
}

/** `n` secure random bytes as `2n` lower-case hex digits. */
export function randomHex(n: number): string {
  return Buffer.from(randomBytes(n)).toString('hex')
}
