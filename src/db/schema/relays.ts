// Relays: the on-premises half as an admin resource, the seats delegated to each, and the leases it told of.
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'
import { customers, licenses } from './licenses.ts'

export const relays = pgTable(
  'relays',
  {
    id: id(),
    /** It serves all licenses of this customer, of whatever product. */
    customerId: uuid('customer_id').notNull(),
    name: text('name').notNull(),
    /** The one-time code; null once it was used. */
    enrolmentHash: text('enrolment_hash'),
    enrolmentExpiresAt: instant('enrolment_expires_at'),
    /** Null until it was enrolled. A new enrolment replaces it, and the key before is dead. */
    keyHash: text('key_hash'),
    keyPrefix: text('key_prefix'),
    /** The relay's own Ed25519 key, raw 32 bytes in base64url: what its leases are verified with. */
    publicKey: text('public_key'),
    version: text('version'),
    /** State of T5, as an instance has one. */
    lineage: jsonb('lineage').$type<unknown>(),
    createdAt: instant('created_at').notNull(),
    enrolledAt: instant('enrolled_at'),
    lastSeenAt: instant('last_seen_at'),
    revokedAt: instant('revoked_at'),
  },
  (t) => [
    foreignKey({ name: 'relays_customer_fk', columns: [t.customerId], foreignColumns: [customers.id] }),
    unique('relays_enrolment_unique').on(t.enrolmentHash),
    unique('relays_key_unique').on(t.keyHash),
    index('relays_customer_idx').on(t.customerId),
  ],
)

export const relayAllotments = pgTable(
  'relay_allotments',
  {
    relayId: uuid('relay_id').notNull(),
    licenseId: uuid('license_id').notNull(),
    /** The most seats that an admin lets this relay have. */
    share: integer('share').notNull(),
    /** Of the newest allotment that was signed; 0 before the first. `max(previous + 1, unix milliseconds)` (T12). */
    seq: bigint('seq', { mode: 'number' }).notNull(),
    seats: integer('seats').notNull(),
    expiresAt: instant('expires_at'),
    /** Seats of earlier, larger allotments, which count until they have expired or the relay acknowledged. */
    heldSeats: integer('held_seats').notNull(),
    heldUntil: instant('held_until'),
    updatedAt: instant('updated_at').notNull(),
  },
  (t) => [
    primaryKey({ name: 'relay_allotments_pk', columns: [t.relayId, t.licenseId] }),
    foreignKey({ name: 'relay_allotments_relay_fk', columns: [t.relayId], foreignColumns: [relays.id] }),
    foreignKey({
      name: 'relay_allotments_license_fk',
      columns: [t.licenseId],
      foreignColumns: [licenses.id],
    }),
    check(
      'relay_allotments_seats_positive',
      sql`${t.share} >= 0 and ${t.seats} >= 0 and ${t.heldSeats} >= 0`,
    ),
    index('relay_allotments_license_idx').on(t.licenseId),
  ],
)

/** Live leases as relays told of them; a relay that was copied tells of more than it may give. */
export const relayLeases = pgTable(
  'relay_leases',
  {
    relayId: uuid('relay_id').notNull(),
    licenseId: uuid('license_id').notNull(),
    instanceKey: uuid('instance_key').notNull(),
    allotmentSeq: bigint('allotment_seq', { mode: 'number' }).notNull(),
    /** Orders what is told of one instance. */
    issuedAt: instant('issued_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    released: boolean('released').notNull().default(false),
    reportedAt: instant('reported_at').notNull(),
  },
  (t) => [
    primaryKey({ name: 'relay_leases_pk', columns: [t.relayId, t.licenseId, t.instanceKey] }),
    foreignKey({ name: 'relay_leases_relay_fk', columns: [t.relayId], foreignColumns: [relays.id] }),
    index('relay_leases_instance_idx').on(t.instanceKey),
    index('relay_leases_expires_idx').on(t.expiresAt),
  ],
)
