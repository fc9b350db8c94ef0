// When silence says something of the vendor's side, or of the network between, and not of single instances. Pure.

/** What the figures know of a product's instances at one moment. */
export interface FleetHearing {
  /** Those that are neither deactivated nor found silent. */
  readonly alive: number
  /** Of them, those heard within half of the time that an instance may be silent. */
  readonly recent: number
}

/** The newest finding about the product's fleet. */
export interface KnownSilence {
  /** `alive` when it was opened. */
  readonly alive: number
  readonly resolvedAt: Date | null
  /** Whether somebody, and not the job, resolved it. */
  readonly byHand: boolean
}

/**
 * `open` and `close`: what to do about the finding. `accuse`: whether single instances may be found silent now.
 */
export interface FleetVerdict {
  readonly open: boolean
  readonly close: boolean
  readonly accuse: boolean
}

/** In a smaller fleet half may well be switched off by one customer on one evening. */
export const SMALLEST_FLEET = 100

/**
 * A fleet is silent when fewer than half of its living instances were heard within half of `staleAfter`: the server was
 * away, or the network was, or the vendor shipped something. One finding says so. Nobody is accused while it is open;
 * it closes when half of the instances that lived then are heard again. All have `staleAfter` to come back from then
 * on, or from when somebody resolved it by hand. What somebody resolved by hand is not found again for as long after
 * that: the instances that did not come back are accused one by one.
 *
 * `staleAfter` in seconds.
 */
export function judgeFleet(
  { alive, recent }: FleetHearing,
  known: KnownSilence | null,
  staleAfter: number,
  now: Date,
): FleetVerdict {
  if (known && known.resolvedAt === null) {
    return { open: false, close: recent * 2 >= known.alive, accuse: false }
  }
  const resolvedFor = known?.resolvedAt ? (now.getTime() - known.resolvedAt.getTime()) / 1000 : Infinity
  if (resolvedFor < staleAfter) return { open: false, close: false, accuse: false }
  const isSilent = alive >= SMALLEST_FLEET && recent * 2 < alive
  const isAccepted = known?.byHand === true && resolvedFor < 2 * staleAfter
  const open = isSilent && !isAccepted
  return { open, close: false, accuse: !open }
}
