// A bounded number of requests at work, a bounded number waiting, the rest told to come back.
import { Refusal } from '../../domain/kernel/context.ts'
import type { Context } from '../routing.ts'
import { LOAD_CLASSES, type LoadClass, loadClassOf } from './load-class.ts'

/** Gives a place back. Call it once. */
export type Leave = () => void

export interface Gate {
  /** What gives the place back, or null when there is none to be had at once. */
  enterNow(as: LoadClass): Leave | null
  /** Resolves to what gives the place back, or to null when there is no room, or none in time. */
  enter(as: LoadClass): Promise<Leave | null>
  /** Whether one more would be refused at once. */
  isFull(as: LoadClass): boolean
  readonly running: number
  readonly waiting: number
}

/** Shares of the places that are kept for a class, whatever the others do; what is left goes to whoever comes first. */
type Shares = Readonly<Record<LoadClass, number>>
const OF_ALL: Shares = { life: 0.25, heartbeat: 0.25, admin: 0.125, other: 0.125 }
const OF_INSTANCES: Shares = { life: 0.25, heartbeat: 0.25, admin: 0, other: 0.25 }
const OF_THE_VENDOR: Shares = { life: 0, heartbeat: 0, admin: 0.25, other: 0.25 }
/** Waiting requests of one class for each place, each with its body. */
const WAITING_PER_PLACE = 8
/** Clients of ten seconds' patience must hear in time that they are to come back. */
const LONGEST_WAIT_MS = 8_000
/** Every instance has its answer within five seconds, of which its turn takes one. */
const LONGEST_WAIT_OF_INSTANCES_MS = 4_000

const nothing = () => undefined

/** For where each request has a process to itself. */
export const openGate: Gate = {
  enterNow: () => nothing,
  enter: async () => nothing,
  isFull: () => false,
  running: 0,
  waiting: 0,
}

interface Rules {
  shares: Shares
  longestWaitMs: number
}

/** For the instance API, whose requests are answered together: a place is in the queue or at work. */
export const instanceGate = (places: number): Gate =>
  overloadGate(places, { shares: OF_INSTANCES, longestWaitMs: LONGEST_WAIT_OF_INSTANCES_MS })

/** For all other requests, each of which works with a database connection of its own. */
export const vendorGate = (places: number): Gate =>
  overloadGate(places, { shares: OF_THE_VENDOR, longestWaitMs: LONGEST_WAIT_MS })

const OF_EVERYBODY: Rules = { shares: OF_ALL, longestWaitMs: LONGEST_WAIT_MS }

/** `places` requests at a time, at least 8 so that each class has one of its own. */
export function overloadGate(places: number, { shares, longestWaitMs } = OF_EVERYBODY): Gate {
  const total = Math.max(8, places)
  const kept = ofEach((name) => Math.floor(shares[name] * total))
  const running = ofEach(() => 0)
  const queues = ofEach((): (() => void)[] => [])
  let busy = 0

  /** A place is free for a class when those that are kept for the others stay free. */
  const isFree = (as: LoadClass): boolean => {
    if (busy >= total) return false
    if (running[as] < kept[as]) return true
    let held = 0
    for (const name of LOAD_CLASSES) {
      if (name !== as) held += Math.max(0, kept[name] - running[name])
    }
    return busy + held < total
  }
  const occupy = (as: LoadClass): Leave => {
    running[as] += 1
    busy += 1
    return leave[as]
  }
  const leave = ofEach(
    (as): Leave =>
      () => {
        running[as] -= 1
        busy -= 1
        for (const name of LOAD_CLASSES) {
          while (queues[name].length > 0 && isFree(name)) queues[name].shift()?.()
        }
      },
  )
  const wait = (as: LoadClass): Promise<Leave | null> =>
    new Promise((resolve) => {
      const admit = () => {
        clearTimeout(timer)
        resolve(occupy(as))
      }
      const timer = setTimeout(() => {
        queues[as].splice(queues[as].indexOf(admit), 1)
        resolve(null)
      }, longestWaitMs)
      queues[as].push(admit)
    })
  const isFull = (as: LoadClass): boolean => queues[as].length >= total * WAITING_PER_PLACE
  const enterNow = (as: LoadClass): Leave | null =>
    queues[as].length === 0 && isFree(as) ? occupy(as) : null
  return {
    isFull,
    enterNow,
    async enter(as) {
      return enterNow(as) ?? (isFull(as) ? null : wait(as))
    },
    get running() {
      return busy
    },
    get waiting() {
      return LOAD_CLASSES.reduce((waiting, name) => waiting + queues[name].length, 0)
    },
  }
}

const ofEach = <T>(make: (name: LoadClass) => T): Record<LoadClass, T> => ({
  life: make('life'),
  heartbeat: make('heartbeat'),
  admin: make('admin'),
  other: make('other'),
})

/**
 * Stands in front of the body: what would be refused after it is refused before it, where that costs least.
 * @throws Refusal `overloaded`.
 */
export function refuseWhenFull(gate: Gate, c: Context): void {
  if (gate.isFull(loadClassOf(c))) throw overloaded()
}

/** Does the work while it holds a place. @throws Refusal `overloaded` when there is none, or none in time. */
export async function inTurn(gate: Gate, c: Context, work: () => Promise<void>): Promise<void> {
  const as = loadClassOf(c)
  const leave = gate.enterNow(as) ?? (await gate.enter(as))
  if (!leave) throw overloaded()
  try {
    await work()
  } finally {
    leave()
  }
}

const overloaded = () =>
  new Refusal(
    'overloaded',
    'More requests have come than this server can answer. Nothing was done; try again.',
    { fix: 'Send the request again after the time in Retry-After.' },
  )
