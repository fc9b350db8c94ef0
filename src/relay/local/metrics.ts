// What `/metrics` of the relay says, and the warnings when a threshold of the reference is crossed.
import { Gauge, Registry } from 'prom-client'
import type { Logger } from '../../platform/logger.ts'
import type { Standing } from './standing.ts'

/** Reference, section 3. */
const LEAST_HIT_RATE = 0.9
const LEAST_SYNC_RATE = 0.95
const MOST_GRACE_RATE = 0.05
const FEWEST_DAYS = 7
/** Before that many, a share says nothing. */
const FEWEST_CASES = 20

export function relayMetrics(standing: () => Standing): () => Promise<{ contentType: string; text: string }> {
  const registers = [new Registry()]
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `leasehold_relay_${name}`, help, labelNames, registers })
  const g = {
    up: gauge('upstream_up', 'Whether the vendor answered last.'),
    live: gauge('live_channel_open', 'Whether the live channel to the vendor is open.'),
    hit: gauge('cache_hit_ratio', 'Share of requests without the vendor that the cache answered.'),
    sync: gauge('sync_success_ratio', 'Share of syncs that ended well.'),
    grace: gauge('grace_ratio', 'Share of all requests that were answered past the stale period.'),
    requests: gauge('requests', 'Requests since the start, by how they were answered.', ['answer']),
    queue: gauge('queue_length', 'Reports that wait for the vendor.'),
    queueBytes: gauge('queue_bytes', 'Their bytes.'),
    queueAge: gauge('queue_age_seconds', 'Age of the oldest of them.'),
    dropped: gauge('queue_dropped', 'Reports that gave way since the start.'),
    days: gauge('license_days_remaining', 'Whole days to the end of a license; -1 past it.', [
      'license',
      'product',
    ]),
    state: gauge('license_state', '1 for the state a license is in.', ['license', 'product', 'state']),
    seats: gauge('leased_seats', 'Seats of an allotment that are leased.', ['license', 'product']),
    development: gauge(
      'development_license',
      '1 where a development license is configured, by whether it is served.',
      ['served'],
    ),
    sockets: gauge('instance_sockets', 'Instances on the live channel.'),
  }
  return async () => {
    const now = standing()
    g.up.set(now.upstream.away === false ? 1 : 0)
    g.live.set(now.upstream.live ? 1 : 0)
    g.hit.set(now.hitRate ?? 1)
    g.sync.set(now.syncRate ?? 1)
    g.grace.set(now.graceRate ?? 0)
    for (const [answer, count] of Object.entries(now.counts)) g.requests.set({ answer }, count)
    g.queue.set(now.queue.length)
    g.queueBytes.set(now.queue.bytes)
    g.queueAge.set(now.queue.oldestAt === null ? 0 : Math.max(0, (now.at - now.queue.oldestAt) / 1000))
    g.dropped.set(now.queue.dropped)
    for (const gauge of [g.days, g.state, g.seats]) gauge.reset()
    for (const license of now.licenses) {
      const labels = { license: license.license_id, product: license.product }
      if (license.daysLeft !== null) g.days.set(labels, license.daysLeft)
      g.state.set({ ...labels, state: license.state }, 1)
      g.seats.set(labels, license.leased)
    }
    g.sockets.set(now.sockets)
    g.development.reset()
    if (now.development !== 'off') g.development.set({ served: String(now.development === 'served') }, 1)
    const [registry] = registers
    return { contentType: registry?.contentType ?? '', text: (await registry?.metrics()) ?? '' }
  }
}

/** Logs each threshold once when it is crossed, and once when it is not any more. */
export function thresholdWatch(log: Logger): (standing: Standing) => void {
  const crossed = new Set<string>()
  const look = (name: string, isCrossed: boolean, facts: object, message: string): void => {
    if (isCrossed === crossed.has(name)) return
    if (isCrossed) {
      crossed.add(name)
      log.warn(facts, message)
    } else {
      crossed.delete(name)
      log.info(facts, `no longer: ${message}`)
    }
  }
  return ({ licenses, hitRate, syncRate, graceRate, counts, sync, development }) => {
    look('development', development === 'served', {}, 'DEVELOPMENT LICENSE served: never in production')
    const offline = counts.kept + counts.missed
    const all = offline + counts.forwarded
    const low = (rate: number | null, least: number, cases: number) =>
      rate !== null && cases >= FEWEST_CASES && rate < least
    look('hits', low(hitRate, LEAST_HIT_RATE, offline), { hit_rate: hitRate }, 'cache hit rate under 90 %')
    const syncs = sync.succeeded + sync.failed
    look('syncs', low(syncRate, LEAST_SYNC_RATE, syncs), { sync_rate: syncRate }, 'sync success under 95 %')
    const grace = graceRate !== null && all >= FEWEST_CASES && graceRate > MOST_GRACE_RATE
    look('grace', grace, { grace_rate: graceRate }, 'over 5 % of requests served past the stale period')
    for (const { license_id, product, daysLeft } of licenses) {
      const facts = { license: license_id, product, days_left: daysLeft }
      const soon = daysLeft !== null && daysLeft < FEWEST_DAYS
      look(`end:${license_id}`, soon, facts, `license ends within ${FEWEST_DAYS} days`)
    }
  }
}
