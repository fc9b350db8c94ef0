// The statements with which a batch takes its locks and then reads what it decides by. Constant in number and text.
//
// Locks come first, each in a statement of its own; all else is read after them. What a lock statement reads besides
// the row that it locks is older than the lock.
import type { PipelinedTransaction, Rows } from '../../../db/pipeline.ts'
import {
  type AllottedRecord,
  type BoundRecord,
  READ_ALLOTTED,
  READ_BOUNDS,
} from '../../rights/seat-bounds.ts'

/** `skip`: rows that somebody holds are left out. `wait`: they are waited for, as long as the lock timeout allows. */
export type Locking = 'skip' | 'wait'

export interface Asked {
  readonly locking: Locking
  /** In ascending order, each once. */
  readonly instanceKeys: readonly string[]
  readonly bootIds: readonly string[]
  /** Licenses whose rows must be held. */
  readonly licenseIds: readonly string[]
  /** The seats that may be written, as pairs. */
  readonly seats: readonly { instanceKey: string; licenseId: string }[]
  readonly staticJwtIds: readonly string[]
  /** Whether seats of deleted instances matter. */
  readonly forgotten: boolean
  readonly now: Date
}

export interface Found {
  readonly instances: readonly InstanceRecord[]
  readonly lockedLicenses: ReadonlySet<string>
  /** `instanceKey licenseId` of the seats that are held. */
  readonly lockedSeats: ReadonlySet<string>
  readonly seats: readonly SeatRecord[]
  readonly streams: readonly StreamRecord[]
  readonly forgotten: readonly { instance_key: string; license_id: string; seat_id: string }[]
  readonly bounds: readonly BoundRecord[]
  readonly allotted: readonly AllottedRecord[]
  readonly staticJwts: readonly { id: string; bound_instance_key: string | null; bound_is_live: boolean }[]
}

/** Times are unix milliseconds, 8-byte integers are text. */
export interface InstanceRecord {
  instance_key: string
  product_id: string
  instance_id: string
  hostname: string | null
  version: string | null
  os: string | null
  arch: string | null
  fingerprint: string | null
  reported_tier: string | null
  has_valid_entitlement: boolean | null
  metrics: Record<string, number>
  feature_usage: string[]
  integrity_hash: string | null
  entitlement_hash: string | null
  entitlement_mismatch_at: number | null
  first_seen_at: number
  last_seen_at: number
  deactivated_at: number | null
  action: string
  action_reason: string | null
  action_seq: string
  action_set_at: number | null
  action_delivered_at: number | null
  action_acknowledged_at: number | null
  lineage: unknown
  token_hash: string | null
  token_presented_at: number | null
  proof: string
  proven_license_id: string | null
}

export interface SeatRecord {
  instance_key: string
  license_id: string
  id: string
  credential_source: string
  credential_id: string
  first_activated_at: number
  activated_at: number
  lease_ends_at: number
  ended_at: number | null
  ended_by: string | null
  lease_issued_at: number
  tombstone_lifted_at: number | null
}

export interface StreamRecord {
  instance_key: string
  boot_id: string
  last_seq: string
  seen: string
  counters: Record<string, number>
}

const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8 as ${column}`
const locked = (text: string) => ({
  skip: `${text} for no key update skip locked`,
  wait: `${text} for no key update`,
})

const LOCK_INSTANCES = locked(`
  select instance_key, product_id, instance_id, hostname, version, os, arch, fingerprint, reported_tier,
    has_valid_entitlement, metrics, to_jsonb(feature_usage) as feature_usage, integrity_hash, entitlement_hash,
    ${ms('entitlement_mismatch_at')}, ${ms('first_seen_at')}, ${ms('last_seen_at')}, ${ms('deactivated_at')},
    action, action_reason, action_seq, ${ms('action_set_at')}, ${ms('action_delivered_at')},
    ${ms('action_acknowledged_at')}, lineage, token_hash, ${ms('token_presented_at')}, proof, proven_license_id
  from instances where instance_key = any($1::uuid[]) order by instance_key`)

const LOCK_LICENSES = locked(`
  select id from licenses where id = any($1::uuid[]) order by id`)

const LOCK_SEATS = locked(`
  select a.instance_key, a.license_id from activations a
  where a.instance_key = any($1::uuid[]) and a.license_id = any($2::uuid[])
  order by a.instance_key, a.license_id`)

const LOCK_STATIC_JWTS = `
  select id from static_jwts where id = any($1::uuid[]) order by id for no key update`

const READ_SEATS = `
  select instance_key, license_id, id, credential_source, credential_id, ${ms('first_activated_at')},
    ${ms('activated_at')}, ${ms('lease_ends_at')}, ${ms('ended_at')}, ended_by, ${ms('lease_issued_at')},
    ${ms('tombstone_lifted_at')}
  from activations where instance_key = any($1::uuid[])`

const READ_STREAMS = `
  select instance_key, boot_id, last_seq, seen::text as seen, counters
  from report_streams where instance_key = any($1::uuid[]) and boot_id = any($2::uuid[])`

const READ_FORGOTTEN = `
  select instance_key, license_id, seat_id from forgotten_seats where instance_key = any($1::uuid[])`

const READ_STATIC_JWTS = `
  select s.id, s.bound_instance_key, exists (
    select from activations a where a.instance_key = s.bound_instance_key and a.license_id = s.license_id
      and a.ended_at is null and not a.lapsed and a.lease_ends_at > $2::timestamptz) as bound_is_live
  from static_jwts s where s.id = any($1::uuid[])`

const FIND_INSTANCES = `select instance_key from instances where instance_key = any($1::uuid[])`

/** Sends all locks and reads at once: one round trip. `last` is sent behind them, under the same locks. */
export async function readBatch<Last>(
  tx: PipelinedTransaction,
  asked: Asked,
  last: () => Promise<Last>,
): Promise<{ found: Found; last: Last }> {
  const { locking, instanceKeys, bootIds, licenseIds, seats, staticJwtIds, now } = asked
  const seatKeys = [...new Set(seats.map((seat) => seat.instanceKey))]
  const seatLicenses = [...new Set(seats.map((seat) => seat.licenseId))]
  const instances = tx.send<InstanceRecord>(LOCK_INSTANCES[locking], [instanceKeys])
  const lockedLicenses = some(licenseIds, () => tx.send<{ id: string }>(LOCK_LICENSES[locking], [licenseIds]))
  const lockedSeats = some(seats, () =>
    tx.send<{ instance_key: string; license_id: string }>(LOCK_SEATS[locking], [seatKeys, seatLicenses]),
  )
  const lockedJwts = some(staticJwtIds, () => tx.send(LOCK_STATIC_JWTS, [staticJwtIds]))
  const held = tx.send<SeatRecord>(READ_SEATS, [instanceKeys])
  const streams = some(bootIds, () => tx.send<StreamRecord>(READ_STREAMS, [instanceKeys, bootIds]))
  const forgotten = some(asked.forgotten ? instanceKeys : [], () =>
    tx.send<Found['forgotten'][number]>(READ_FORGOTTEN, [instanceKeys]),
  )
  const bounds = some(licenseIds, () => tx.send<BoundRecord>(READ_BOUNDS, [licenseIds]))
  const allotted = some(licenseIds, () => tx.send<AllottedRecord>(READ_ALLOTTED, [licenseIds, now]))
  const staticJwts = some(staticJwtIds, () =>
    tx.send<Found['staticJwts'][number]>(READ_STATIC_JWTS, [staticJwtIds, now]),
  )
  const lastSent = last()
  const [instanceRows, licenseRows, seatRows] = await Promise.all([
    instances,
    lockedLicenses,
    lockedSeats,
    lockedJwts,
  ])
  return {
    found: {
      instances: instanceRows,
      lockedLicenses: new Set(licenseRows.map(({ id }) => id)),
      lockedSeats: new Set(seatRows.map((row) => seatName(row.instance_key, row.license_id))),
      seats: await held,
      streams: await streams,
      forgotten: await forgotten,
      bounds: await bounds,
      allotted: await allotted,
      staticJwts: await staticJwts,
    },
    last: await lastSent,
  }
}

export const seatName = (instanceKey: string, licenseId: string): string => `${instanceKey} ${licenseId}`

/** Which of the instances are there, locked or not. */
export async function findInstances(tx: PipelinedTransaction, keys: readonly string[]): Promise<Set<string>> {
  const rows = await tx.send<{ instance_key: string }>(FIND_INSTANCES, [keys])
  return new Set(rows.map((row) => row.instance_key))
}

/** A statement that nobody needs in this batch is not sent. */
function some<Row>(needed: readonly unknown[], send: () => Promise<Rows<Row>>): Promise<readonly Row[]> {
  return needed.length === 0 ? Promise.resolve([]) : send()
}
