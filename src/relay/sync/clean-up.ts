// Drops what is of no more use: leases past their end, reports past their age, grants that are torn or long over.
import type { Logger } from '../../platform/logger.ts'
import type { OpenedRelay } from '../open.ts'

/** Milliseconds by which the clocks of vendor and relay may differ. */
const MOST_OFFSET = 5 * 60_000

/**
 * `failedMaxAge`: milliseconds after the end of a lease (FAILED_CACHE_MAX_AGE). Nothing goes while the vendor is away or
 * has another time: a clock that was moved would empty cache and queue, and nothing that is over is served anyway.
 */
export async function cleanUp(
  { front, leases }: OpenedRelay,
  failedMaxAge: number,
  log: Logger,
): Promise<void> {
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
    const over = grant.expiresAt * 1000 + failedMaxAge < now
    // Found by its signature: a torn entry is worth nothing, and the next answer of the vendor brings a whole one.
    const torn = !over && (await front.keys.licenseJwt(grant.jwt, grant.product, grant.instanceId)) === null
    if (!over && !torn) continue
    front.grants.drop(grant)
    dropped += 1
  }
  if (dropped > 0) log.info({ dropped }, 'cleaned up the cache')
}
