// A bounded number of requests at work in front of the database, a bounded number waiting, the rest told to come back.
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/kernel/context.ts'
import type { Context, HttpEnv } from '../routing.ts'
import { LOAD_CLASSES, type LoadClass, loadClassOf } from './load-class.ts'

export interface Gate {
  /** Resolves to what gives the place back, or to null when there is no room, or none in time. */
  enter(as: LoadClass): Promise<(() => void) | null>
  /** Whether one more would be refused at once. */
  isFull(as: LoadClass): boolean
  readonly running: number
  readonly waiting: number
}

/** Shares of the places that are kept for a class, whatever the others do; what is left goes to whoever comes first. */
const KEPT: Readonly<Record<LoadClass, number>> = { life: 0.25, heartbeat: 0.25, admin: 0.125, other: 0.125 }
/** Waiting requests of one class for each place, each with its body. */
const WAITING_PER_PLACE = 8
/** Clients of ten seconds' patience must hear in time that they are to come back. */
const LONGEST_WAIT_MS = 8_000

/** For where each request has a process to itself. */
export const openGate: Gate = {
  enter: async () => () => undefined,
  isFull: () => false,
  running: 0,
  waiting: 0,
}

/** `places` requests at a time, at least 8 so that each class has one of its own. */
export function overloadGate(places: number): Gate {
  const total = Math.max(8, places)
  const running = counts()
  const queues: Record<LoadClass, (() => void)[]> = { life: [], heartbeat: [], admin: [], other: [] }

  const kept = (name: LoadClass) => Math.floor(KEPT[name] * total)
  const busy = () => sum(running)
  /** A place is free for a class when those that are kept for the others stay free. */
  const isFree = (as: LoadClass): boolean => {
    const others = LOAD_CLASSES.filter((name) => name !== as)
    const held = others.reduce((held, name) => held + Math.max(0, kept(name) - running[name]), 0)
    return busy() + held < total || (running[as] < kept(as) && busy() < total)
  }
  const leave = (as: LoadClass) => () => {
    running[as] -= 1
    for (const name of LOAD_CLASSES) {
      while (queues[name].length > 0 && isFree(name)) queues[name].shift()?.()
    }
  }
  const wait = (as: LoadClass): Promise<(() => void) | null> =>
    new Promise((resolve) => {
      const admit = () => {
        clearTimeout(timer)
        running[as] += 1
        resolve(leave(as))
      }
      const timer = setTimeout(() => {
        queues[as].splice(queues[as].indexOf(admit), 1)
        resolve(null)
      }, LONGEST_WAIT_MS)
      queues[as].push(admit)
    })
  const isFull = (as: LoadClass): boolean => queues[as].length >= total * WAITING_PER_PLACE
  return {
    isFull,
    async enter(as) {
      if (queues[as].length === 0 && isFree(as)) {
        running[as] += 1
        return leave(as)
      }
      return isFull(as) ? null : wait(as)
    },
    get running() {
      return busy()
    },
    get waiting() {
      return LOAD_CLASSES.reduce((waiting, name) => waiting + queues[name].length, 0)
    },
  }
}

const counts = (): Record<LoadClass, number> => ({ life: 0, heartbeat: 0, admin: 0, other: 0 })
const sum = (of: Record<LoadClass, number>): number => LOAD_CLASSES.reduce((all, name) => all + of[name], 0)

/** Stands in front of the body: what would be refused after it is refused before it, where that costs least. */
export const refuseWhenFull = (gate: Gate) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    if (gate.isFull(loadClassOf(c))) throw overloaded()
    await next()
  })

/** Stands behind the reading of the body: those who are slow to send hold no place. */
export const refuseOverload = (gate: Gate) => createMiddleware<HttpEnv>((c, next) => inTurn(gate, c, next))

/** Does the work while it holds a place. @throws Refusal `overloaded` when there is none, or none in time. */
export async function inTurn(gate: Gate, c: Context, work: () => Promise<void>): Promise<void> {
  const leave = await gate.enter(loadClassOf(c))
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
