// The platform port: all that the SDK asks of the runtime it lives in, and the sizes that it counts on. host/node*.ts
// implement it for Node.

export interface HostClock {
  /** Wall clock, unix milliseconds. May jump in either direction. */
  wall(): number
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonic(): number
}

export interface HostTimers {
  /** Runs `work` once after `ms` milliseconds, at most 2³¹−1, and returns its cancellation. Keeps no process alive. */
  after(ms: number, work: () => void): () => void
}

/** What is known of the machine; all of it optional. */
export interface HostFacts {
  hostname?: string
  os?: string
  arch?: string
  /** Given from outside: `LEASEHOLD_INSTANCE_ID`. */
  instanceId?: string
}

export interface HostLog {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** Why a file was not read or written. Rejections of a storage are `StorageFault`s; anything else counts as `failed`. */
export type StorageProblem = 'symlink' | 'too_large' | 'denied' | 'full' | 'read_only' | 'failed'

export class StorageFault extends Error {
  readonly problem: StorageProblem
  constructor(problem: StorageProblem, message: string) {
    super(message)
    this.name = 'StorageFault'
    this.problem = problem
  }
}

/** Bytes of a text that is kept, and of a file that is read. */
export const MAX_TEXT = 64 * 1024
/** A key set grows with every key that ever signed something still in force. */
const MAX_KEY_SET = 256 * 1024
/** An offline answer, with the key set beside it. */
const MAX_ANSWER = 384 * 1024

/** The size in bytes up to which a storage keeps the text of this name. */
export function limitOf(name: string): number {
  if (name === 'activation.json') return MAX_ANSWER
  return name === 'key-set.jws' ? MAX_KEY_SET : MAX_TEXT
}

/** Small named texts (at most 64 KiB, `key-set.jws` 256 KiB, `activation.json` 384 KiB) that survive a restart, and the lock that says who may write them. */
export interface HostStorage {
  /** The text, or null where there is none. @throws StorageFault */
  read(name: string): Promise<string | null>
  /** Replaces the text: a crash at any moment leaves the old or the new one, whole. @throws StorageFault */
  write(name: string, text: string): Promise<void>
  /** Removes a text; no fault where there is none. @throws StorageFault */
  remove(name: string): Promise<void>
  /** Moves a text out of the way under another name, for someone to look at. Never throws. */
  setAside(name: string): Promise<void>
  /** Becomes, or stays, the leader; touches the lock. False while another process leads. @throws StorageFault */
  lead(): Promise<boolean>
  /** Lets another process lead. Never throws. */
  release(): Promise<void>
  /** Where it is, for people. */
  readonly place: string
}

/** A WebSocket (WHATWG) as far as the live channel uses it. */
export interface HostSocket {
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: object) => void): void
  send(text: string): void
  close(): void
}

export interface Host {
  /** WHATWG fetch. Called with `redirect: 'manual'`. */
  fetch(url: string, init: RequestInit): Promise<Response>
  /** Opens a WebSocket that keeps no process alive. Left out where there is none: no live channel then. */
  openSocket?(url: string): HostSocket
  /** Opens the folder of a product; null where the platform keeps nothing. @throws StorageFault */
  openStorage(folder: string | undefined, product: string): Promise<HostStorage | null>
  /** Reads a file that the vendor named (`tokenFile`), at most 64 KiB; null where there is none. */
  readFile(path: string): Promise<string | null>
  /** Cryptographically random bytes. */
  random(count: number): Uint8Array
  clock: HostClock
  timers: HostTimers
  facts: HostFacts
  log: HostLog
}
