// How many bodies this process holds at once, on their way, waiting or at work, over all and of each sender, and how long
// one may take to arrive. A sender that is slow holds a place here, and none in front of the database.

export interface HeldBodies {
  /** Milliseconds from the headers to the end of the body. */
  readonly longestMs: number
  /**
   * Takes `weight` places of a pool for `sender`, or says who has none left. `isKnown` is for senders whose credential
   * proved a license: some places are theirs alone.
   */
  hold(pool: BodyPool, sender: string, isKnown: boolean, weight: number): Release | 'sender' | 'all'
  readonly underWay: number
}

/** Batches have places of their own, so that they never take one from a heartbeat, a refresh or an admin's request. */
export type BodyPool = 'ordinary' | 'batch'

/** Gives the place back. Call it once. */
export type Release = () => void

export interface PoolBounds {
  /** Places of 64 KiB that anybody may take. */
  places: number
  /** Further ones, for the known alone. */
  ofTheKnown: number
  /** A sender is a credential that proved a license, or an address. */
  perSender: number
}

/** 96 MiB at most. Strangers' batches come last: whoever was met once, with a heartbeat say, is none. */
const POOLS: Readonly<Record<BodyPool, PoolBounds>> = {
  ordinary: { places: 1_024, ofTheKnown: 256, perSender: 256 },
  batch: { places: 128, ofTheKnown: 128, perSender: 32 },
}
const LONGEST_MS = 10_000

export interface BodyBounds extends Partial<Record<BodyPool, PoolBounds>> {
  longestMs?: number
}

export function heldBodies(bounds: BodyBounds = {}): HeldBodies {
  const pools = {
    ordinary: pool(bounds.ordinary ?? POOLS.ordinary),
    batch: pool(bounds.batch ?? POOLS.batch),
  }
  return {
    longestMs: bounds.longestMs ?? LONGEST_MS,
    hold: (name, sender, isKnown, weight) => pools[name].hold(sender, isKnown, weight),
    get underWay() {
      return pools.ordinary.underWay() + pools.batch.underWay()
    },
  }
}

function pool({ places, ofTheKnown, perSender }: PoolBounds) {
  const senders = new Map<string, number>()
  let underWay = 0
  return {
    hold(sender: string, isKnown: boolean, weight: number): Release | 'sender' | 'all' {
      const own = senders.get(sender) ?? 0
      if (own + weight > perSender) return 'sender'
      if (underWay + weight > places + (isKnown ? ofTheKnown : 0)) return 'all'
      senders.set(sender, own + weight)
      underWay += weight
      return () => {
        const left = (senders.get(sender) ?? 0) - weight
        if (left > 0) senders.set(sender, left)
        else senders.delete(sender)
        underWay -= weight
      }
    },
    underWay: () => underWay,
  }
}

/** Where each request has a process to itself there is nobody to bound: only the time is. */
export const unboundedBodies: HeldBodies = {
  longestMs: LONGEST_MS,
  hold: () => () => undefined,
  underWay: 0,
}
