// A small world for the refresh chain: one server row, disks, processes, a lossy network, and a clock that events
// move. It drives the real advanceLineage and knows nothing of its rules.
import { createSecretKey } from 'node:crypto'
import { advanceLineage, type LineageOutcome } from '../../src/domain/fleet/lineage.ts'
import { readLineageState } from '../../src/domain/fleet/lineage-state.ts'
import type { RandomBytes } from '../../src/platform/random.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

const START = Date.UTC(2026, 0, 1)
const SCOPE = { key: createSecretKey(new Uint8Array(32).fill(7)), product: 'keldris', instanceId: 'model' }

export interface Dice {
  /** A number in [low, high). */
  between(low: number, high: number): number
  chance(p: number): boolean
  bytes: RandomBytes
}

/** Mulberry32: the same seed gives the same world. */
export function dice(seed: number): Dice {
  let a = Math.imul(seed + 1, 0x9e3779b1)
  const next = () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    between: (low, high) => low + next() * (high - low),
    chance: (p) => next() < p,
    bytes: (n) => Uint8Array.from({ length: n }, () => next() * 256),
  }
}

/** What a client keeps of its chain. Copying it is copying the data folder. */
export interface Disk {
  token?: string
  refreshId?: string
}

export interface Sent {
  token?: string | undefined
  refreshId?: string | undefined
}

/** What the network does to one request. */
export type Fate = 'answered' | 'answer lost' | 'request lost'

export class World {
  readonly dice: Dice
  /** Times at which the server raised `instance_cloned`, in ms since the start. */
  readonly cloned: number[] = []
  readonly outcomes = new Map<LineageOutcome, number>()
  now = 0
  /** Every request that reached the server. */
  readonly sent: Sent[] = []
  /** What the server's clock is off by. */
  skew = 0
  /** The row, as the database holds it. */
  row: string | null = null
  largestRow = 0
  #events: { at: number; run: () => void }[] = []

  constructor(seed: number) {
    this.dice = dice(seed)
  }

  at(time: number, run: () => void): void {
    this.#events.push({ at: Math.max(time, this.now), run })
  }

  after(delay: number, run: () => void): void {
    this.at(this.now + delay, run)
  }

  /** Lets time pass to `end`, or to the first accusation. */
  runUntil(end: number): void {
    while (this.cloned.length === 0) {
      let first: { at: number; run: () => void } | undefined
      for (const event of this.#events) if (event.at <= end && (!first || event.at < first.at)) first = event
      if (!first) break
      this.#events.splice(this.#events.indexOf(first), 1)
      this.now = first.at
      first.run()
    }
    this.now = end
  }

  /** The server's half: one proven request, one row written. */
  serve(sent: Sent): string {
    this.sent.push(sent)
    const state = this.row === null ? null : readLineageState(JSON.parse(this.row))
    const request = { refreshToken: sent.token, refreshId: sent.refreshId }
    const clock = new Date(START + this.now + this.skew)
    const result = advanceLineage(state, request, SCOPE, clock, this.dice.bytes)
    this.row = JSON.stringify(result.state)
    this.largestRow = Math.max(this.largestRow, this.row.length)
    this.outcomes.set(result.outcome, (this.outcomes.get(result.outcome) ?? 0) + 1)
    if (result.cloned) this.cloned.push(this.now)
    return result.nextToken
  }
}

export interface Habits {
  /** Time between requests; jitter only shortens it. */
  every: number
  retryAfter?: number
  /** Share of requests that fail, one half on the way there, one on the way back. */
  loss?: number
  sendsRefreshId?: boolean
  /** Holds its token in memory once started, and only writes to the disk. */
  remembers?: boolean
}

/** A running process with its data folder. */
export class Client {
  readonly world: World
  readonly habits: Habits
  readonly disk: Disk
  /** Overrules the network for the next requests. */
  fates: Fate[] = []
  #memory: Disk | null = null
  #life = 0

  constructor(world: World, disk: Disk, habits: Habits) {
    this.world = world
    this.disk = disk
    this.habits = habits
  }

  start(delay = 0): this {
    const life = ++this.#life
    if (this.habits.remembers) this.#memory = { ...this.disk }
    this.world.after(delay, () => this.#live(life))
    return this
  }

  stop(): void {
    this.#life++
  }

  /** Stops, finds its data folder as it was at some other time, and starts. */
  restartFrom(disk: Disk): void {
    replace(this.disk, disk)
    this.start()
  }

  /** One control request. True when the answer came and was stored. */
  request(): boolean {
    const held = this.#memory ?? this.disk
    const refreshId =
      (this.habits.sendsRefreshId ?? true) ? (held.refreshId ?? this.newRefreshId()) : undefined
    const pending: Disk = { ...held, ...(refreshId === undefined ? {} : { refreshId }) }
    this.#write(pending)
    const fate = this.fates.shift() ?? this.#weather()
    if (fate === 'request lost') return false
    const token = this.world.serve({ token: pending.token, refreshId })
    if (fate === 'answer lost') return false
    this.#write({ token })
    return true
  }

  newRefreshId(): string {
    return Buffer.from(this.world.dice.bytes(16)).toString('hex')
  }

  #write(kept: Disk): void {
    if (this.#memory) this.#memory = kept
    replace(this.disk, kept)
  }

  #weather(): Fate {
    if (!this.world.dice.chance(this.habits.loss ?? 0)) return 'answered'
    return this.world.dice.chance(0.5) ? 'request lost' : 'answer lost'
  }

  #live(life: number): void {
    if (life !== this.#life) return
    const { every, retryAfter = HOUR } = this.habits
    const wait = this.request() ? every : Math.min(retryAfter, every)
    this.world.after(wait * this.world.dice.between(0.9, 1), () => this.#live(life))
  }
}

function replace(disk: Disk, by: Disk): void {
  delete disk.token
  delete disk.refreshId
  Object.assign(disk, by)
}
