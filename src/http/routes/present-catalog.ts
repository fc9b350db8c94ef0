// Products and tiers as the admin API shows them.
import type { ProductAnswer, TierAnswer } from '../../contract/admin-catalog.schema.ts'
import type { ProductRow, Tier } from '../../domain/kernel/find-catalog.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'

export const presentProduct = (row: ProductRow): ProductAnswer => ({
  id: publicId('prd', row.id),
  code: row.code,
  name: row.name,
  instance_auth: row.instanceAuth,
  limits_claim: row.limitsClaim,
  metric_map: row.metricMap,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
})

export const presentTier = (row: Tier): TierAnswer => ({
  id: publicId('tier', row.id),
  product: row.product,
  code: row.code,
  name: row.name,
  rank: row.rank,
  features: row.features,
  limits: row.limits,
  grace_days: row.graceDays,
  seat_limit: row.seatLimit,
  seat_churn: row.seatChurn,
  trial_days: row.trialDays,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
})
