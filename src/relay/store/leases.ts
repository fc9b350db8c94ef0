// Seats that the relay has leased out, one row each. The count is exact: one statement decides and writes.
import type { DatabaseSync } from 'node:sqlite'

export interface KeptLease {
  /** `lic_…`. */
  licenseId: string
  instanceId: string
  product: string
  /** `jti` of the allotment. */
  allotment: string
  /** Unix seconds. */
  issuedAt: number
  expiresAt: number
}

/** A lease as it is kept: one that was given back stays until the vendor was told. */
export interface StoredLease extends KeptLease {
  released: boolean
}

interface Row {
  license_id: string
  instance_id: string
  product: string
  allotment: string
  issued_at: number
  expires_at: number
  released: number
}

export type LeaseStore = ReturnType<typeof leaseStore>

export function leaseStore(database: DatabaseSync) {
  const take = database.prepare(`
    insert into leases (license_id, instance_id, product, allotment, issued_at, expires_at)
    select :license, :instance, :product, :allotment, :issued, :expires
    where (select count(*) from leases where license_id = :license and expires_at > :issued
           and instance_id <> :instance) < :seats
    on conflict do update set allotment = excluded.allotment, issued_at = excluded.issued_at,
      expires_at = excluded.expires_at, released = 0`)
  const give = database.prepare(
    `update leases set released = 1
     where product = ? and instance_id = ? and license_id = ? and not released`,
  )
  const forget = database.prepare(
    'delete from leases where license_id = ? and instance_id = ? and released and expires_at <= ?',
  )
  const live = database.prepare(
    'select * from leases where license_id = ? and expires_at > ? and not released',
  )
  const all = database.prepare('select * from leases')
  const expire = database.prepare('delete from leases where expires_at <= ?')

  return {
    /** Whether the instance holds a seat now: its own again, or one of the `seats` that was free. */
    take: (lease: KeptLease, seats: number): boolean =>
      Number(
        take.run({
          license: lease.licenseId,
          instance: lease.instanceId,
          product: lease.product,
          allotment: lease.allotment,
          issued: lease.issuedAt,
          expires: lease.expiresAt,
          seats,
        }).changes,
      ) > 0,
    giveBack: (product: string, instanceId: string, licenseId: string): boolean =>
      Number(give.run(product, instanceId, licenseId).changes) > 0,
    /** `now`: unix seconds. */
    live: (licenseId: string, now: number): StoredLease[] =>
      (live.all(licenseId, now) as unknown as Row[]).map(leaseOf),
    /** Those that were given back too. */
    all: (): StoredLease[] => (all.all() as unknown as Row[]).map(leaseOf),
    /** The vendor knows that these were given back. */
    told(leases: readonly KeptLease[], now: number): void {
      for (const { licenseId, instanceId } of leases) forget.run(licenseId, instanceId, now)
    },
    expire: (now: number): void => void expire.run(now),
  }
}

const leaseOf = (row: Row): StoredLease => ({
  licenseId: row.license_id,
  instanceId: row.instance_id,
  product: row.product,
  allotment: row.allotment,
  issuedAt: row.issued_at,
  expiresAt: row.expires_at,
  released: row.released !== 0,
})
