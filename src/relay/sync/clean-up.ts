// Drops what is of no more use: leases past their end, reports past their age, grants that are torn or long over, and
// what is known of instances and credentials that nobody uses any more.
import type { Logger } from '../../platform/logger.ts'
import type { OpenedRelay } from '../open.ts'
import { type FreshnessTimes, syncState } from '../states.ts'
import type { KeptGrant } from '../store/grants.ts'

/** Milliseconds by which the clocks of vendor and relay may differ. */
const MOST_OFFSET = 5 * 60_000

/**
 * `failedMaxAge`: milliseconds for which something has failed to sync (FAILED_CACHE_MAX_AGE). Nothing goes while the
 * vendor is away or has another time: a clock that was moved would empty cache and queue, and nothing that is over is
 * served anyway.
 */
export async function cleanUp(relay: OpenedRelay, failedMaxAge: number, log: Logger): Promise<void> {
  const { front, leases } = relay
  const offset = front.upstream.clockOffset()
  if (front.upstream.isAway() !== false || offset === null) return
  if (Math.abs(offset) > MOST_OFFSET) {
    log.warn({ offset_ms: offset }, 'the clock of this machine is not the vendor’s: nothing is cleaned up')
    return
  }
  const now = front.now()
  leases.expire(Math.floor(now / 1000))
  front.queue.expire(now)
  let dropped = 0
  for (const grant of front.grants.all()) {
    const over = isOver(grant, front.times, failedMaxAge, now)
    // Found by its signature: a torn entry is worth nothing, and the next answer of the vendor brings a whole one.
    const torn = !over && (await front.keys.licenseJwt(grant.jwt, grant.product, grant.instanceId)) === null
    if (!over && !torn) continue
    front.grants.drop(grant)
    dropped += 1
  }
  dropped += relay.prune(now)
  front.grants.recount()
  if (dropped > 0) log.info({ dropped }, 'cleaned up the cache')
}

/** Failed for that long, and past the end that the vendor signed: no state takes a grant away before (T6). */
function isOver(grant: KeptGrant, times: FreshnessTimes, failedMaxAge: number, now: number): boolean {
  if (grant.expiresAt * 1000 >= now) return false
  const failing = syncState({ syncedAt: grant.syncedAt + failedMaxAge, endsAt: null }, times, now)
  return failing === 'failed'
}
