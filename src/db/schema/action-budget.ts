// What admin keys took within the last hour, and for whom the budget is lifted. Written by domain/action-budget only.
import { sql } from 'drizzle-orm'
import { check, index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'

export const actionSpending = pgTable(
  'action_spending',
  {
    id: id(),
    adminKeyId: uuid('admin_key_id').notNull(),
    at: instant('at').notNull(),
    /** Instances, licenses or credentials that something was taken from at once. */
    amount: integer('amount').notNull(),
  },
  (t) => [
    check('action_spending_amount_positive', sql`${t.amount} > 0`),
    index('action_spending_at_idx').on(t.at),
  ],
)

export const actionBudgetLifts = pgTable('action_budget_lifts', {
  /** `all`, or the public id of an admin key. */
  scope: text('scope').primaryKey(),
  liftedAt: instant('lifted_at').notNull(),
  liftedUntil: instant('lifted_until').notNull(),
})
