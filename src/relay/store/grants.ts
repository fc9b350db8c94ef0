// What the vendor granted, by instance and license, and who may be given it again. Verifies nothing: its callers do.
import type { DatabaseSync } from 'node:sqlite'
import type { Commits } from './commits.ts'
import { credentialStore } from './credentials.ts'
import { instanceStore } from './instances.ts'

export interface KeptGrant {
  product: string
  instanceId: string
  /** `lic_…`. */
  licenseId: string
  jwt: string
  /** Unix seconds, of the JWT. */
  issuedAt: number
  expiresAt: number
  /** Unix milliseconds of the vendor's answer. */
  syncedAt: number
  /** JSON of the last activate or validate that was granted, without what is signed in it; null if there was none. */
  answer: string | null
  /** The last entitlement token, or null. */
  entitlement: string | null
}

interface GrantRow {
  product: string
  instance_id: string
  license_id: string
  jwt: string
  issued_at: number
  expires_at: number
  synced_at: number
  answer: string | null
  entitlement: string | null
}

type GrantName = Pick<KeptGrant, 'product' | 'instanceId' | 'licenseId'>

/** How many rows strangers' requests may leave: some 20 MB. A row that guards or serves something never gives way. */
export const BOUNDS = { instances: 50_000, proofs: 50_000 }

export type GrantStore = ReturnType<typeof grantStore>

export function grantStore(database: DatabaseSync, commits: Commits, bounds = BOUNDS) {
  const { write } = commits
  const put = database.prepare(`
    insert into grants (product, instance_id, license_id, jwt, issued_at, expires_at, synced_at, answer, entitlement)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict do update set
      jwt = case when excluded.issued_at >= issued_at then excluded.jwt else jwt end,
      expires_at = case when excluded.issued_at >= issued_at then excluded.expires_at else expires_at end,
      issued_at = max(excluded.issued_at, issued_at), synced_at = max(excluded.synced_at, synced_at),
      answer = coalesce(excluded.answer, answer), entitlement = excluded.entitlement`)
  const entitle = database.prepare(
    'update grants set entitlement = ? where product = ? and instance_id = ? and license_id = ?',
  )
  const ofInstance = database.prepare(
    'select * from grants where product = ? and instance_id = ? order by issued_at desc',
  )
  const newest = database.prepare(
    'select max(issued_at) as at from grants where product = ? and license_id = ? and synced_at <= ?',
  )
  const all = database.prepare('select * from grants order by license_id, instance_id')
  const holders = database.prepare('select product, instance_id from grants where license_id = ?')
  const drop = database.prepare('delete from grants where product = ? and instance_id = ? and license_id = ?')
  const ages = database.prepare('select license_id, max(synced_at) as at from grants group by license_id')
  // In memory: each answer from the cache asks for one, and a site has few licenses.
  let answeredAt = answers()
  commits.onLost(() => {
    answeredAt = answers()
  })

  function answers(): Map<string, number> {
    const found = ages.all() as { license_id: string; at: number }[]
    return new Map(found.map(({ license_id, at }) => [license_id, at]))
  }

  const credentials = credentialStore(database, commits, bounds.proofs)

  return {
    ...credentials,
    ...instanceStore(database, commits, bounds.instances),
    keep: (g: KeptGrant): void =>
      write(() => {
        const { product, instanceId, licenseId, jwt, issuedAt, expiresAt, syncedAt, answer, entitlement } = g
        put.run(product, instanceId, licenseId, jwt, issuedAt, expiresAt, syncedAt, answer, entitlement)
        answeredAt.set(licenseId, Math.max(syncedAt, answeredAt.get(licenseId) ?? 0))
      }),
    entitle: (product: string, instanceId: string, licenseId: string, token: string | null): void =>
      write(() => void entitle.run(token, product, instanceId, licenseId)),
    /** The newest first. */
    ofInstance: (product: string, instanceId: string): KeptGrant[] =>
      (ofInstance.all(product, instanceId) as unknown as GrantRow[]).map(grantOf),
    /** Unix milliseconds of the vendor's last grant of the license, to whichever instance; 0 where there is none. */
    answeredAt: (licenseId: string): number => answeredAt.get(licenseId) ?? 0,
    /** Unix seconds: when the newest grant of the license was issued that was had by then; 0 where there was none. */
    newestIssued: (product: string, licenseId: string, by: number): number =>
      (newest.get(product, licenseId, by) as { at: number | null }).at ?? 0,
    /** The instances with a grant of this license. */
    holders: (licenseId: string) =>
      (holders.all(licenseId) as { product: string; instance_id: string }[]).map((row) => ({
        product: row.product,
        instanceId: row.instance_id,
      })),
    all: (): KeptGrant[] => (all.all() as unknown as GrantRow[]).map(grantOf),
    drop: (g: GrantName): void => write(() => void drop.run(g.product, g.instanceId, g.licenseId)),
    /** The instance gave its seat back: nothing of it is served any more. */
    part: (product: string, instanceId: string, licenseId: string): void =>
      write(() => {
        drop.run(product, instanceId, licenseId)
        credentials.forget({ product, instanceId, licenseId })
      }),
  }
}

const grantOf = (row: GrantRow): KeptGrant => ({
  product: row.product,
  instanceId: row.instance_id,
  licenseId: row.license_id,
  jwt: row.jwt,
  issuedAt: row.issued_at,
  expiresAt: row.expires_at,
  syncedAt: row.synced_at,
  answer: row.answer,
  entitlement: row.entitlement,
})
