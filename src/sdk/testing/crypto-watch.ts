// Counts the WebCrypto operations under way in this process. They run on threads of their own and take their real
// time, which on a busy machine is any time: a virtual clock must wait for them by count, never by guess.

const OPERATIONS = ['digest', 'exportKey', 'generateKey', 'importKey', 'sign', 'verify'] as const

type Operation = (...args: never[]) => Promise<unknown>

let pending = 0
let started = 0
let watched = false

/** How many are under way, and how many were ever started since `watchCrypto`. */
export function cryptoActivity(): { pending: number; started: number } {
  return { pending, started }
}

const prototype: Record<string, Operation> = Object.getPrototypeOf(crypto.subtle)

/** From now on every operation is counted; what it does and answers stays as it is. Repeating it changes nothing. */
export function watchCrypto(): void {
  if (watched) return
  watched = true
  for (const name of OPERATIONS) {
    const real = prototype[name]
    if (!real) continue
    prototype[name] = function counted(this: unknown, ...args: never[]) {
      pending += 1
      started += 1
      const over = () => {
        pending -= 1
      }
      const work: Promise<unknown> = Reflect.apply(real, this, args)
      work.then(over, over)
      return work
    }
  }
}
