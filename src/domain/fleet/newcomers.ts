// How many instances that nobody has licensed may become known: per address and hour, and per product (T9, T11). Bounds
// strangers; whoever proves a license is not counted. Removes nothing: remove-silent.ts does.
import { sql } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { MINUTE_SECONDS } from '../../platform/time.ts'
import { type Newcomers, Refusal } from '../kernel/context.ts'

export const NEWCOMERS_PER_ADDRESS = 300
const MOST_UNPROVEN = 100_000
/** How long a count serves. Within it, other processes may each add what their addresses bring. */
const COUNT_FRESH_MS = MINUTE_SECONDS * 1000
const COME_BACK_SECONDS = 3600

const PASS = { retryAfter: 0 }

interface PerAddress {
  take(network: string): { retryAfter: number }
  policy: { quota: number } | null
}

/**
 * Exact in one process; several processes may together let in that many times as many from one address, and exceed a
 * product's bound by what they let in within a minute, or while it is being counted. `perAddress` null: addresses are not told apart.
 */
export function boundNewcomers(perAddress: PerAddress | null, mostUnproven = MOST_UNPROVEN): Newcomers {
  const counts = new Map<string, { count: number; at: number }>()

  const counted = async (tx: Transaction, productId: string, added: number, now: number) => {
    const known = counts.get(productId)
    if (known && now - known.at < COUNT_FRESH_MS) {
      known.count += added
      return known
    }
    // Holds those of this transaction too; looks no further than the bound.
    const fresh = { count: await countUnproven(tx, productId, mostUnproven + added), at: now }
    counts.set(productId, fresh)
    return fresh
  }

  return {
    async admit(tx, ctx, productIds) {
      for (const _ of productIds) {
        const { retryAfter } = ctx.network === undefined ? PASS : (perAddress?.take(ctx.network) ?? PASS)
        if (retryAfter > 0) throw tooManyOfAddress(retryAfter, perAddress?.policy?.quota)
      }
      for (const [productId, { length }] of Map.groupBy(productIds, (id) => id)) {
        const known = await counted(tx, productId, length, ctx.clock.monotonic())
        if (known.count <= mostUnproven) continue
        known.count -= length
        throw tooManyOfProduct(mostUnproven)
      }
    },
  }
}

async function countUnproven(tx: Transaction, productId: string, most: number): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from (
      select 1 from instances where product_id = ${productId}::uuid and proven_license_id is null limit ${most}
    ) unproven`)
  return Number(row?.count)
}

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
