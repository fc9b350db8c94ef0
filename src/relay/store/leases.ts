// Seats that the relay has leased out, one row each. The count is exact: nothing runs between deciding and writing.
import type { DatabaseSync } from 'node:sqlite'
import { CHURN_DAYS, seatChurn } from '../../contract/seats.ts'
import type { FullHouse } from '../seats/full-house.ts'
import type { Commits } from './commits.ts'

const CHURN_SECONDS = CHURN_DAYS * 86_400

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

export function leaseStore(database: DatabaseSync, { write }: Commits) {
  const taken = database.prepare(
    'select count(*) as taken from leases where license_id = ? and expires_at > ? and instance_id <> ?',
  )
  const met = database.prepare('select 1 as found from newcomers where license_id = ? and instance_id = ?')
  const fresh = database.prepare(
    'select count(*) as fresh from newcomers where license_id = ? and first_at > ?',
  )
  const meet = database.prepare('insert into newcomers (license_id, instance_id, first_at) values (?, ?, ?)')
  const put = database.prepare(`
    insert into leases (license_id, instance_id, product, allotment, issued_at, expires_at)
    values (?, ?, ?, ?, ?, ?)
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
    /**
     * Gives the instance its own seat again, or one of the `seats` that is free: null; else the limit that was met. A
     * lease is believed until its end, so one that was given back takes its seat till then: `seats` are never exceeded
     * by leases that verify. New instance ids are bounded as the vendor bounds them (T10).
     */
    take: (lease: KeptLease, seats: number): FullHouse | null =>
      write(() => {
        const { licenseId, instanceId, product, allotment, issuedAt, expiresAt } = lease
        const others = (taken.get(licenseId, issuedAt, instanceId) as { taken: number }).taken
        if (others >= seats) return { reason: 'allotment_exhausted', limit: seats, current: others }
        if (met.get(licenseId, instanceId) === undefined) {
          const current = (fresh.get(licenseId, issuedAt - CHURN_SECONDS) as { fresh: number }).fresh
          const limit = seatChurn(seats)
          if (current >= limit) return { reason: 'seat_churn', limit, current }
          meet.run(licenseId, instanceId, issuedAt)
        }
        put.run(licenseId, instanceId, product, allotment, issuedAt, expiresAt)
        return null
      }),
    giveBack: (product: string, instanceId: string, licenseId: string): boolean =>
      write(() => Number(give.run(product, instanceId, licenseId).changes) > 0),
    /** `now`: unix seconds. */
    live: (licenseId: string, now: number): StoredLease[] =>
      (live.all(licenseId, now) as unknown as Row[]).map(leaseOf),
    /** Those that were given back too. */
    all: (): StoredLease[] => (all.all() as unknown as Row[]).map(leaseOf),
    /** The vendor knows that these were given back. */
    told(leases: readonly KeptLease[], now: number): void {
      write(() => {
        for (const { licenseId, instanceId } of leases) forget.run(licenseId, instanceId, now)
      })
    },
    expire: (now: number): void => write(() => void expire.run(now)),
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
