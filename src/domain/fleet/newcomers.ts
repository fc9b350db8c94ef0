// How many instances that nobody has licensed may become known: per address and hour, and per product (T9, T11). Bounds
// strangers; whoever proves a license is not counted. Removes nothing: remove-silent.ts does.
import { MINUTE_SECONDS } from '../../platform/time.ts'
import { type Newcomers, Refusal } from '../kernel/context.ts'

export const NEWCOMERS_PER_ADDRESS = 300
const MOST_UNPROVEN = 100_000
/** How long a count serves. Within it, other processes may each add what their addresses bring. */
const COUNT_FRESH_MS = MINUTE_SECONDS * 1000
const COME_BACK_SECONDS = 3600

interface PerAddress {
  take(network: string): { retryAfter: number }
  refund(network: string): void
  policy: { quota: number } | null
}

/**
 * Exact in one process; several processes may together let in that many times as many from one address, and exceed a
 * product's bound by what they let in within a minute. `perAddress` null: addresses are not told apart.
 */
export function boundNewcomers(perAddress: PerAddress | null, mostUnproven = MOST_UNPROVEN): Newcomers {
  const counts = new Map<string, { count: number; at: number }>()
  return {
    async count(read, productIds, now) {
      const due = productIds.filter((id) => now - (counts.get(id)?.at ?? -COUNT_FRESH_MS) >= COUNT_FRESH_MS)
      if (due.length === 0) return
      // Looks no further than the bound.
      const rows = await read<{ id: string; count: number }>(COUNT_UNPROVEN, [due, mostUnproven])
      for (const { id, count } of rows) counts.set(id, { count, at: now })
    },
    admit(network, productId) {
      const retryAfter = network === undefined ? 0 : (perAddress?.take(network).retryAfter ?? 0)
      if (retryAfter > 0) throw tooManyOfAddress(retryAfter, perAddress?.policy?.quota)
      const known = counts.get(productId)
      if (known && known.count >= mostUnproven) {
        if (network !== undefined) perAddress?.refund(network)
        throw tooManyOfProduct(mostUnproven)
      }
      if (known) known.count += 1
      return () => {
        if (known) known.count -= 1
        if (network !== undefined) perAddress?.refund(network)
      }
    },
  }
}

const COUNT_UNPROVEN = `
  select p.id, (select count(*)::int from (
    select 1 from instances where product_id = p.id and proven_license_id is null limit $2::int) unproven) as count
  from unnest($1::uuid[]) as p(id)`

const tooManyOfAddress = (retryAfter: number, limit?: number) =>
  new Refusal('rate_limited', 'Too many new instances from this address that prove no license.', {
    facts: { reason: 'new_instances', limit },
    headers: { 'Retry-After': String(retryAfter) },
    fix: `Prove a license with the first request (API key, license key or license JWT), or try again in ${retryAfter} s.`,
  })

const tooManyOfProduct = (limit: number) =>
  new Refusal('too_many_unproven', 'This product has as many instances without a license as it may.', {
    facts: { limit },
    headers: { 'Retry-After': String(COME_BACK_SECONDS) },
    fix: 'Prove a license with the first request. Unproven instances that are silent for 30 days make room.',
  })
