// How many bodies this process holds at once, on their way, waiting or at work, over all and of each sender, and how long
// one may take to arrive. A sender that is slow holds a place here, and none in front of the database.

export interface HeldBodies {
  /** Milliseconds from the headers to the end of the body. */
  readonly longestMs: number
  /**
   * Takes a place for `sender`, or says who has none left. `isKnown` is for senders whose credential was accepted
   * before: some places are theirs alone.
   */
  hold(sender: string, isKnown: boolean, weight: number): Release | 'sender' | 'all'
  readonly underWay: number
}

/** Gives the place back. Call it once. */
export type Release = () => void

/** Of 64 KiB each; a batch takes sixteen. Together with those of the known, 80 MiB at most. */
const PLACES = 1_024
const PLACES_OF_THE_KNOWN = 256
/** A sender is a credential that was accepted before, or an address. */
const PLACES_PER_SENDER = 256
const LONGEST_MS = 10_000

export interface BodyBounds {
  places?: number
  ofTheKnown?: number
  perSender?: number
  longestMs?: number
}

export function heldBodies(bounds: BodyBounds = {}): HeldBodies {
  const { places = PLACES, ofTheKnown = PLACES_OF_THE_KNOWN, perSender = PLACES_PER_SENDER } = bounds
  const senders = new Map<string, number>()
  let underWay = 0
  return {
    longestMs: bounds.longestMs ?? LONGEST_MS,
    hold(sender, isKnown, weight) {
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
    get underWay() {
      return underWay
    },
  }
}

/** Where each request has a process to itself there is nobody to bound: only the time is. */
export const unboundedBodies: HeldBodies = {
  longestMs: LONGEST_MS,
  hold: () => () => undefined,
  underWay: 0,
}
