// Products and tiers of the admin API in zod.
import { z } from 'zod'
import { changesSomething, shortText } from './admin-fields.schema.ts'
import { INSTANCE_AUTHS, LIMITS_CLAIMS, METRIC_KINDS } from './catalog.ts'
import { pageQuery } from './paging.schema.ts'
import { catalogCode, featureNames, graceDays, limitName, limitValues, seatLimit } from './rights.schema.ts'

const DEFAULT_GRACE_DAYS = 30
const MOST_METRICS = 200

const name = shortText(200)
const rank = z
  .int()
  .min(0)
  .max(1_000_000)
  .meta({ description: 'The tier of lowest rank is what an unlicensed or downgraded instance has.' })
const instanceAuth = z.enum(INSTANCE_AUTHS).meta({
  description: 'How instances prove who they are: `open` asks for nothing, `token` for an instance token.',
})
const limitsClaim = z
  .enum(LIMITS_CLAIMS)
  .meta({ description: 'The claim of a license JWT that carries the limits.' })
const metricMap = z
  .record(limitName, z.strictObject({ kind: z.enum(METRIC_KINDS), limit: limitName.exactOptional() }))
  .refine((map) => Object.keys(map).length <= MOST_METRICS, { error: `at most ${MOST_METRICS} metrics` })
  .meta({
    description: 'What each metric is, and the limit that it counts against.',
    example: { agent_count: { kind: 'gauge', limit: 'max_agents' } },
  })
const seatChurn = z
  .int()
  .min(0)
  .max(2_147_483_647)
  .nullable()
  .meta({ description: 'New instances in 30 days; null is 20 and 10 more for each seat.' })
const trialDays = z
  .int()
  .min(1)
  .max(365)
  .nullable()
  .meta({ description: 'Length of the trial that anybody may start; null is none.' })

const someChange = (change: object) => changesSomething(change)
const NO_CHANGE = { error: 'holds no member to change' }

export const newProduct = z
  .strictObject({
    code: catalogCode.meta({
      description: 'Never changes: tokens and instances name it.',
      example: 'keldris',
    }),
    name,
    instance_auth: instanceAuth.default('token'),
    limits_claim: limitsClaim.default('limits'),
    metric_map: metricMap.default({}),
  })
  .meta({ id: 'NewProduct' })

export const productChange = z
  .strictObject({ name, instance_auth: instanceAuth, limits_claim: limitsClaim, metric_map: metricMap })
  .partial()
  .refine(someChange, NO_CHANGE)
  .meta({ id: 'ProductChange' })

export const productAnswer = z
  .object({
    id: z.string().meta({ example: 'prd_019b76daa80070008000000000000001' }),
    code: z.string(),
    name: z.string(),
    instance_auth: instanceAuth,
    limits_claim: limitsClaim,
    metric_map: metricMap,
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: 'Product' })

export const newTier = z
  .strictObject({
    product: catalogCode.meta({ example: 'keldris' }),
    code: catalogCode.meta({ description: 'Never changes: tokens and reports name it.', example: 'pro' }),
    name,
    rank,
    features: featureNames.default([]),
    limits: limitValues.default({}),
    grace_days: graceDays.default(DEFAULT_GRACE_DAYS),
    seat_limit: seatLimit.default(null),
    seat_churn: seatChurn.default(null),
    trial_days: trialDays.default(null),
  })
  .meta({ id: 'NewTier' })

export const tierChange = z
  .strictObject({
    name,
    rank,
    features: featureNames,
    limits: limitValues,
    grace_days: graceDays,
    seat_limit: seatLimit,
    seat_churn: seatChurn,
    trial_days: trialDays,
  })
  .partial()
  .refine(someChange, NO_CHANGE)
  .meta({ id: 'TierChange', description: 'Members given replace the whole value.' })

export const tierAnswer = z
  .object({
    id: z.string().meta({ example: 'tier_019b76daa80070008000000000000002' }),
    product: z.string(),
    code: z.string(),
    name: z.string(),
    rank: z.int(),
    features: z.array(z.string()),
    limits: z.record(z.string(), z.int()),
    grace_days: z.int(),
    seat_limit: seatLimit,
    seat_churn: seatChurn,
    trial_days: trialDays,
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: 'Tier' })

export const productQuery = z.strictObject(pageQuery)
export const tierQuery = z.strictObject({ ...pageQuery, product: catalogCode.optional() })

export type NewProduct = z.infer<typeof newProduct>
export type ProductChange = z.infer<typeof productChange>
export type ProductAnswer = z.infer<typeof productAnswer>
export type NewTier = z.infer<typeof newTier>
export type TierChange = z.infer<typeof tierChange>
export type TierAnswer = z.infer<typeof tierAnswer>
