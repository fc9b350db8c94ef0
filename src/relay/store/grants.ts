// What the vendor granted, by instance and license, and who may be given it again. Verifies nothing: its callers do.
import type { DatabaseSync } from 'node:sqlite'
import type { Action } from '../../contract/claims.ts'

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
  /** Unix milliseconds since when it could not be synced. */
  failedAt: number | null
}

export type ProofKind = 'api_key' | 'license_key' | 'instance_token' | 'jwt'

export interface KeptInstance {
  product: string
  instanceId: string
  action: Action
  /** JSON of the last `config`, or null. */
  config: string | null
  syncedAt: number
  seenAt: number
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
  failed_at: number | null
}

export type GrantStore = ReturnType<typeof grantStore>

export function grantStore(database: DatabaseSync) {
  const put = database.prepare(`
    insert into grants (product, instance_id, license_id, jwt, issued_at, expires_at, synced_at, answer, entitlement)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict do update set
      jwt = case when excluded.issued_at >= issued_at then excluded.jwt else jwt end,
      expires_at = case when excluded.issued_at >= issued_at then excluded.expires_at else expires_at end,
      issued_at = max(excluded.issued_at, issued_at), synced_at = max(excluded.synced_at, synced_at),
      answer = coalesce(excluded.answer, answer), entitlement = excluded.entitlement,
      failed_at = null`)
  const entitle = database.prepare(
    'update grants set entitlement = ? where product = ? and instance_id = ? and license_id = ?',
  )
  const ofInstance = database.prepare(
    'select * from grants where product = ? and instance_id = ? order by issued_at desc',
  )
  const all = database.prepare('select * from grants order by license_id, instance_id')
  const drop = database.prepare('delete from grants where product = ? and instance_id = ? and license_id = ?')
  const fail = database.prepare(
    'update grants set failed_at = coalesce(failed_at, ?) where product = ? and instance_id = ? and license_id = ?',
  )
  const prove = database.prepare(`
    insert into proofs (hmac, kind, product, instance_id, license_id, used_at) values (?, ?, ?, ?, ?, ?)
    on conflict do update set used_at = excluded.used_at`)
  const proven = database.prepare(
    'select product, license_id from proofs where hmac = ? and instance_id = ? order by used_at desc',
  )
  const licenseOf = database.prepare(
    'select product, license_id from proofs where hmac = ? order by used_at desc limit 1',
  )
  const holder = database.prepare(
    'select product, instance_id from proofs where hmac = ? order by used_at desc limit 1',
  )
  const disown = database.prepare('delete from proofs where hmac = ? and instance_id = ?')
  const refuse = database.prepare('insert into refused (hmac, at) values (?, ?) on conflict do nothing')
  const refused = database.prepare('select 1 as found from refused where hmac = ?')
  const accept = database.prepare('delete from refused where hmac = ?')
  const part = database.prepare('delete from proofs where product = ? and instance_id = ? and license_id = ?')
  const touch = database.prepare(`
    insert into instances (product, instance_id, action, config, synced_at, seen_at) values (?, ?, ?, ?, ?, ?)
    on conflict do update set action = excluded.action, config = coalesce(excluded.config, config),
      synced_at = excluded.synced_at, seen_at = excluded.seen_at`)
  const see = database.prepare('update instances set seen_at = ? where product = ? and instance_id = ?')
  const instance = database.prepare('select * from instances where product = ? and instance_id = ?')
  const instances = database.prepare('select * from instances')

  return {
    keep(g: KeptGrant): void {
      put.run(
        g.product,
        g.instanceId,
        g.licenseId,
        g.jwt,
        g.issuedAt,
        g.expiresAt,
        g.syncedAt,
        g.answer,
        g.entitlement,
      )
    },
    entitle(product: string, instanceId: string, licenseId: string, token: string | null): void {
      entitle.run(token, product, instanceId, licenseId)
    },
    /** The newest first. */
    ofInstance: (product: string, instanceId: string): KeptGrant[] =>
      (ofInstance.all(product, instanceId) as unknown as GrantRow[]).map(grantOf),
    all: (): KeptGrant[] => (all.all() as unknown as GrantRow[]).map(grantOf),
    drop: ({
      product,
      instanceId,
      licenseId,
    }: Pick<KeptGrant, 'product' | 'instanceId' | 'licenseId'>): void =>
      void drop.run(product, instanceId, licenseId),
    failed: (g: Pick<KeptGrant, 'product' | 'instanceId' | 'licenseId'>, at: number): void =>
      void fail.run(at, g.product, g.instanceId, g.licenseId),
    /** The vendor accepted this credential for that instance and license. */
    prove(
      hmac: string,
      kind: ProofKind,
      g: Pick<KeptGrant, 'product' | 'instanceId' | 'licenseId'>,
      at: number,
    ): void {
      prove.run(hmac, kind, g.product, g.instanceId, g.licenseId, at)
      accept.run(hmac)
    },
    /** What the credential was accepted for at this instance, the last use first. */
    proven: (hmac: string, instanceId: string) =>
      (proven.all(hmac, instanceId) as { product: string; license_id: string }[]).map((row) => ({
        product: row.product,
        licenseId: row.license_id,
      })),
    /** The license that the credential proved at any instance. */
    licenseOf(hmac: string): { product: string; licenseId: string } | null {
      const row = licenseOf.get(hmac) as { product: string; license_id: string } | undefined
      return row ? { product: row.product, licenseId: row.license_id } : null
    },
    /** The instance that a token of its own was last accepted for. */
    instanceOf(hmac: string): { product: string; instanceId: string } | null {
      const row = holder.get(hmac) as { product: string; instance_id: string } | undefined
      return row ? { product: row.product, instanceId: row.instance_id } : null
    },
    /** The vendor does not accept this credential of the instance any more. */
    disown(hmac: string, instanceId: string, at: number): void {
      disown.run(hmac, instanceId)
      refuse.run(hmac, at)
    },
    isRefused: (hmac: string): boolean => refused.get(hmac) !== undefined,
    /** The instance gave its seat back: nothing of it is served any more. */
    part(product: string, instanceId: string, licenseId: string): void {
      drop.run(product, instanceId, licenseId)
      part.run(product, instanceId, licenseId)
    },
    touch(i: KeptInstance): void {
      touch.run(i.product, i.instanceId, i.action, i.config, i.syncedAt, i.seenAt)
    },
    see: (product: string, instanceId: string, at: number): void => void see.run(at, product, instanceId),
    instance(product: string, instanceId: string): KeptInstance | null {
      const row = instance.get(product, instanceId) as InstanceRow | undefined
      return row ? instanceOf(row) : null
    },
    instances: (): KeptInstance[] => (instances.all() as unknown as InstanceRow[]).map(instanceOf),
  }
}

interface InstanceRow {
  product: string
  instance_id: string
  action: Action
  config: string | null
  synced_at: number
  seen_at: number
}

const instanceOf = (row: InstanceRow): KeptInstance => ({
  product: row.product,
  instanceId: row.instance_id,
  action: row.action,
  config: row.config,
  syncedAt: row.synced_at,
  seenAt: row.seen_at,
})

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
  failedAt: row.failed_at,
})
