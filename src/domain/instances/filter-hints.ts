// Conditions that follow from a filter and that an index serves. They narrow what is looked at, and decide nothing: what the
// sums of the fleet know of an instance may be a minute old, so what changed since is always among it.
import { and, type SQL, sql } from 'drizzle-orm'
import type { InstanceFilter } from '../../contract/admin-instances.schema.ts'
import { instances } from '../../db/schema/index.ts'
import { seatIsLive } from '../rights/seat.ts'

/** To be added to a filter that few instances meet; where many do, gathering them costs more than it saves. */
export function hintsOf(filter: InstanceFilter, now: Date): SQL | undefined {
  const proof = rareProof(filter)
  return and(
    filter.tier === undefined ? undefined : mayHaveTier(filter.tier, now),
    proof === undefined ? undefined : mayHaveProof(proof),
  )
}

/** The proof that the filter asks for, where an index holds the instances with it. */
export const rareProof = ({ proof, verified }: InstanceFilter): 'none' | 'relay' | undefined => {
  if (proof === 'none' || proof === 'relay') return proof
  return verified === false ? 'none' : undefined
}

/** Not counted yet, or counted as they were before a seat of theirs ran out. */
const changedSince = (now: Date): SQL => sql`
  select instance_key from fleet_changes
  union all
  select instance_key from activations
  where ended_at is null and not lapsed and lapse_due_at <= ${now.toISOString()}::timestamptz`

/**
 * Who holds a seat of a license of that tier, and, where the tier is the lowest of a product, who was counted without a
 * live seat, downgraded, or deactivated.
 */
const mayHaveTier = (tier: string, now: Date): SQL => sql`${instances.instanceKey} in (
  select a.instance_key from activations a join licenses l on l.id = a.license_id join tiers t on t.id = l.tier_id
  where t.code = ${tier} and ${seatIsLive(now)}
  union all
  select k.instance_key from (
    select instance_key from fleet_facts
    where facets is null or split_part(facets[6], '|', 3) = '' or facets[6] like 'downgrade|%'
    union all ${changedSince(now)}
  ) k
  where exists (select from tiers t where t.code = ${tier} and not exists (
    select from tiers lower where lower.product_id = t.product_id and lower.rank < t.rank)))`

const mayHaveProof = (proof: 'none' | 'relay'): SQL => sql`${instances.instanceKey} in (
  select instance_key from fleet_facts where facets[3] = ${proof} and facets[3] in ('none', 'relay')
  union all select instance_key from fleet_facts where facets is null
  union all select instance_key from fleet_changes)`
