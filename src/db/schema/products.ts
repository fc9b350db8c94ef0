// What is licensed: products and their tiers.
import { sql } from 'drizzle-orm'
import { check, integer, jsonb, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core'
import type { InstanceAuth, LimitsClaim, MetricMap } from '../../contract/catalog.ts'
import { id, instant } from './columns.ts'

export const products = pgTable(
  'products',
  {
    id: id(),
    code: text('code').notNull(),
    name: text('name').notNull(),
    instanceAuth: text('instance_auth').$type<InstanceAuth>().notNull(),
    limitsClaim: text('limits_claim').$type<LimitsClaim>().notNull(),
    metricMap: jsonb('metric_map').$type<MetricMap>().notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (t) => [
    unique('products_code_unique').on(t.code),
    check('products_code_form', sql`${t.code} ~ '^[a-z0-9][a-z0-9._-]{0,63}$'`),
    check('products_instance_auth_known', sql`${t.instanceAuth} in ('open', 'token')`),
    check('products_limits_claim_known', sql`${t.limitsClaim} in ('limits', 'quotas')`),
  ],
)

export const tiers = pgTable(
  'tiers',
  {
    id: id(),
    productId: uuid('product_id')
      .notNull()
      .references(() => products.id),
    code: text('code').notNull(),
    name: text('name').notNull(),
    rank: integer('rank').notNull(),
    features: text('features').array().notNull(),
    limits: jsonb('limits').$type<Record<string, number>>().notNull(),
    graceDays: integer('grace_days').notNull(),
    seatLimit: integer('seat_limit'),
    seatChurn: integer('seat_churn'),
    /** Null: no trials. */
    trialDays: integer('trial_days'),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (t) => [
    unique('tiers_product_code_unique').on(t.productId, t.code),
    unique('tiers_product_rank_unique').on(t.productId, t.rank),
    unique('tiers_id_product_unique').on(t.id, t.productId),
    check('tiers_grace_days_range', sql`${t.graceDays} between 0 and 3650`),
    check('tiers_seat_limit_positive', sql`${t.seatLimit} is null or ${t.seatLimit} >= 0`),
    check('tiers_trial_days_range', sql`${t.trialDays} is null or ${t.trialDays} between 1 and 365`),
    check('tiers_seat_churn_positive', sql`${t.seatChurn} is null or ${t.seatChurn} >= 0`),
  ],
)
