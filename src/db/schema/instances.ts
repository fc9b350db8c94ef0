// Running copies of a product and the seats they hold. Both lead with instance_key: they grow with the fleet.
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import type { CredentialSource, Proof, SeatEndedBy } from '../../contract/catalog.ts'
import type { Action } from '../../contract/claims.ts'
import { instant } from './columns.ts'

export const instances = pgTable(
  'instances',
  {
    instanceKey: uuid('instance_key').primaryKey(),
    productId: uuid('product_id').notNull(),
    instanceId: text('instance_id').notNull(),
    hostname: text('hostname'),
    version: text('version'),
    os: text('os'),
    arch: text('arch'),
    fingerprint: text('fingerprint'),
    reportedTier: text('reported_tier'),
    hasValidEntitlement: boolean('has_valid_entitlement'),
    metrics: jsonb('metrics').$type<Record<string, number>>().notNull(),
    featureUsage: text('feature_usage').array().notNull(),
    integrityHash: text('integrity_hash'),
    entitlementHash: text('entitlement_hash'),
    entitlementMismatchAt: instant('entitlement_mismatch_at'),
    firstSeenAt: instant('first_seen_at').notNull(),
    lastSeenAt: instant('last_seen_at').notNull(),
    deactivatedAt: instant('deactivated_at'),
    action: text('action').$type<Action>().notNull(),
    actionReason: text('action_reason'),
    actionSeq: bigint('action_seq', { mode: 'number' }).notNull(),
    actionSetAt: instant('action_set_at'),
    actionDeliveredAt: instant('action_delivered_at'),
    actionAcknowledgedAt: instant('action_acknowledged_at'),
    /** State of T5; the lineage module alone reads and writes its inside. */
    lineage: jsonb('lineage').$type<unknown>(),
    tokenHash: text('token_hash'),
    tokenPresentedAt: instant('token_presented_at'),
    proof: text('proof').$type<Proof>().notNull(),
    provenLicenseId: uuid('proven_license_id'),
    /**
     * Never later than `last_seen_at`, and moved up to it by a job once the two are far apart: it is indexed, and what
     * a heartbeat writes must not be (a heap-only update touches no index).
     */
    seenMark: instant('seen_mark').notNull().default(sql`'epoch'`),
    /** Found silent by the job, and not heard since, as far as the job knows. */
    silent: boolean('silent').notNull().default(false),
  },
  (t) => [
    check('instances_action_known', sql`${t.action} in ('none', 'downgrade', 'kill')`),
    check('instances_proof_known', sql`${t.proof} in ('none', 'instance', 'license', 'relay')`),
    index('instances_newest_idx').on(t.firstSeenAt.desc(), t.instanceKey.desc()),
    index('instances_product_newest_idx').on(t.productId, t.firstSeenAt.desc(), t.instanceKey.desc()),
    index('instances_heard_idx')
      .on(t.productId, t.seenMark, t.instanceKey)
      .where(sql`not ${t.silent} and ${t.deactivatedAt} is null`),
    index('instances_id_idx').on(t.instanceId),
    index('instances_version_idx').on(t.version, t.firstSeenAt.desc(), t.instanceKey.desc()),
    index('instances_acted_on_idx')
      .on(t.firstSeenAt.desc(), t.instanceKey.desc())
      .where(sql`${t.action} <> 'none'`),
    index('instances_silent_idx')
      .on(t.productId, t.firstSeenAt.desc(), t.instanceKey.desc())
      .where(sql`${t.silent}`),
    index('instances_unproven_idx').on(t.productId, t.seenMark).where(sql`${t.provenLicenseId} is null`),
    index('instances_token_idx').on(t.tokenHash),
  ],
)

export const activations = pgTable(
  'activations',
  {
    instanceKey: uuid('instance_key').notNull(),
    licenseId: uuid('license_id').notNull(),
    /** The seat that license JWTs name (`act`). A seat taken anew after it was ended has a new id. */
    id: uuid('id').notNull(),
    credentialSource: text('credential_source').$type<CredentialSource>().notNull(),
    credentialId: uuid('credential_id').notNull(),
    firstActivatedAt: instant('first_activated_at').notNull(),
    activatedAt: instant('activated_at').notNull(),
    /** End of the last lease handed out under this seat, grace included (T10). */
    leaseEndsAt: instant('lease_ends_at').notNull(),
    endedAt: instant('ended_at'),
    endedBy: text('ended_by').$type<SeatEndedBy>(),
    /** When the last lease under this seat was signed: tells which key signed it. */
    leaseIssuedAt: instant('lease_issued_at').notNull(),
    /** When an admin let the instance take the seat again by itself, after having ended it. */
    tombstoneLiftedAt: instant('tombstone_lifted_at'),
    /** When a job looks at the lease next. Never later than `lease_ends_at`, which each refresh moves and no index holds. */
    lapseDueAt: instant('lapse_due_at').notNull().default(sql`'epoch'`),
    /** The job saw the lease run out. A trigger takes it back when the lease is moved. */
    lapsed: boolean('lapsed').notNull().default(false),
  },
  (t) => [
    primaryKey({ name: 'activations_pk', columns: [t.instanceKey, t.licenseId] }),
    check(
      'activations_credential_source_known',
      sql`${t.credentialSource} in ('api_key', 'license_key', 'static_jwt')`,
    ),
    check('activations_ended_by_known', sql`${t.endedBy} in ('instance', 'admin', 'expiry')`),
    check('activations_ended_together', sql`(${t.endedAt} is null) = (${t.endedBy} is null)`),
    index('activations_held_idx')
      .on(t.licenseId, t.instanceKey)
      .where(sql`${t.endedAt} is null and not ${t.lapsed}`),
    index('activations_lapse_idx').on(t.lapseDueAt).where(sql`${t.endedAt} is null and not ${t.lapsed}`),
    index('activations_credential_idx').on(t.credentialId),
    index('activations_churn_idx').on(t.licenseId, t.firstActivatedAt),
  ],
)

/**
 * How many seats of a license are taken: never too low, and exact until the times beside it. Apart from the license's
 * row, which is reference data, and with no index on what changes. Written under the license's row lock.
 */
export const seatBounds = pgTable('seat_bounds', {
  licenseId: uuid('license_id').primaryKey(),
  taken: integer('taken').notNull(),
  takenExactUntil: instant('taken_exact_until'),
  /** Instances that were new within the last 30 days. */
  fresh: integer('fresh').notNull(),
  freshExactUntil: instant('fresh_exact_until'),
})

/**
 * Seats whose instance was deleted, for as long as a lease of theirs could still be shown: without them a license JWT
 * of the deleted instance would pass for one that a restored database has lost (T12).
 */
export const forgottenSeats = pgTable(
  'forgotten_seats',
  {
    instanceKey: uuid('instance_key').notNull(),
    licenseId: uuid('license_id').notNull(),
    seatId: uuid('seat_id').notNull(),
    leaseEndsAt: instant('lease_ends_at').notNull(),
  },
  (t) => [
    primaryKey({ name: 'forgotten_seats_pk', columns: [t.instanceKey, t.licenseId] }),
    index('forgotten_seats_lease_idx').on(t.leaseEndsAt),
  ],
)
