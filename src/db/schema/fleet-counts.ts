// What the figures of the fleet are made of: sums, what they hold of each instance, and what is not added yet. Triggers
// on `instances` and `activations` write the last; domain/stats folds it. All of it can be counted anew.
import { sql } from 'drizzle-orm'
import { bigint, boolean, index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'

/** Instances by one facet of theirs. */
export const fleetCounts = pgTable(
  'fleet_counts',
  {
    productId: uuid('product_id').notNull(),
    facet: text('facet').notNull(),
    /** MD5 of the value: an instance may hold seats of more licenses than an index entry has room for. */
    key: uuid('key').notNull(),
    value: text('value').notNull(),
    instances: bigint('instances', { mode: 'number' }).notNull(),
    verified: bigint('verified', { mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ name: 'fleet_counts_pk', columns: [t.productId, t.facet, t.key] })],
)

/** Instances by the minute (of unix time) of their last report. Minutes long ago are summed by the day. */
export const fleetAges = pgTable(
  'fleet_ages',
  {
    productId: uuid('product_id').notNull(),
    minute: integer('minute').notNull(),
    instances: bigint('instances', { mode: 'number' }).notNull(),
    verified: bigint('verified', { mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ name: 'fleet_ages_pk', columns: [t.productId, t.minute] })],
)

/** What `fleet_counts` holds of an instance. */
export const fleetFacts = pgTable(
  'fleet_facts',
  {
    instanceKey: uuid('instance_key').primaryKey(),
    productId: uuid('product_id').notNull(),
    verified: boolean('verified').notNull(),
    /** In the order of FACETS; null while the instance is deactivated. */
    facets: text('facets').array(),
  },
  (t) => [
    index('fleet_facts_no_seat_idx')
      .on(t.instanceKey)
      .where(
        sql`${t.facets} is null or split_part(${t.facets}[6], '|', 3) = '' or ${t.facets}[6] like 'downgrade|%'`,
      ),
    index('fleet_facts_proof_idx')
      .on(sql`(${t.facets}[3])`, t.instanceKey)
      .where(sql`${t.facets}[3] in ('none', 'relay')`),
  ],
)

/** Instances that changed since they were counted. Inserts only: a row that all of them update would be waited for. */
export const fleetChanges = pgTable('fleet_changes', {
  id: bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
  instanceKey: uuid('instance_key').notNull(),
})

/** Minutes of last reports to add and to take away, of all instances of one statement. */
export const fleetAgeChanges = pgTable('fleet_age_changes', {
  id: bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
  productId: uuid('product_id').notNull(),
  verified: boolean('verified').notNull(),
  gained: integer('gained').array().notNull().default(sql`'{}'`),
  lost: integer('lost').array().notNull().default(sql`'{}'`),
})
