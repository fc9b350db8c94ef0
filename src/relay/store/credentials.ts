// Which credential, known by its HMAC alone, the vendor accepted for which instance and license, and which it refused.
import type { DatabaseSync } from 'node:sqlite'
import type { Commits } from './commits.ts'

export type ProofKind = 'api_key' | 'license_key' | 'instance_token' | 'jwt' | 'refresh_token'

interface Named {
  product: string
  instanceId: string
  licenseId: string
}

/** `most` bounds how many are kept; those of an instance that holds a seat never give way. */
export function credentialStore(database: DatabaseSync, { write }: Commits, most: number) {
  const put = database.prepare(`
    insert into proofs (hmac, kind, product, instance_id, license_id, used_at) values (?, ?, ?, ?, ?, ?)
    on conflict do update set used_at = excluded.used_at`)
  const giveWay = database.prepare(`
    delete from proofs where rowid in (
      select p.rowid from proofs p where not exists (select 1 from grants g
        where g.product = p.product and g.instance_id = p.instance_id and g.license_id = p.license_id)
        and not exists (select 1 from leases l where l.license_id = p.license_id and l.instance_id = p.instance_id)
      order by p.used_at limit max(0, (select count(*) from proofs) - ?))`)
  const proven = database.prepare(
    'select product, license_id from proofs where hmac = ? and instance_id = ? order by used_at desc',
  )
  const newest = database.prepare(
    'select product, instance_id, license_id from proofs where hmac = ? order by used_at desc limit 1',
  )
  const drop = database.prepare('delete from proofs where hmac = ? and instance_id = ?')
  const part = database.prepare('delete from proofs where product = ? and instance_id = ? and license_id = ?')
  const ofSeat = database.prepare(
    'select 1 as found from proofs where product = ? and instance_id = ? and license_id = ? limit 1',
  )
  // The one before it too: the answer that brought the last one may be lost.
  const outdate = database.prepare(`
    delete from proofs where kind = 'refresh_token' and product = ? and instance_id = ? and license_id = ?
      and hmac not in (select hmac from proofs where kind = 'refresh_token' and product = ? and instance_id = ?
        and license_id = ? order by used_at desc, rowid desc limit 2)`)
  const refuse = database.prepare(
    'insert into refused (hmac, at, until) values (?, ?, ?) on conflict do nothing',
  )
  const refused = database.prepare('select 1 as found from refused where hmac = ?')
  const accept = database.prepare('delete from refused where hmac = ?')
  let untilCounted = most

  const last = (hmac: string) =>
    newest.get(hmac) as { product: string; instance_id: string; license_id: string } | undefined

  return {
    /** The vendor accepted this credential for that instance and license. */
    prove: (hmac: string, kind: ProofKind, g: Named, at: number): void =>
      write(() => {
        put.run(hmac, kind, g.product, g.instanceId, g.licenseId, at)
        accept.run(hmac)
        // Counted now and then: a tenth more than the bound is no harm.
        untilCounted -= 1
        if (untilCounted > 0) return
        untilCounted = Math.ceil(most / 10)
        giveWay.run(most)
      }),
    /** The vendor gave the instance this refresh token: it and the one before prove that who shows them holds the chain. */
    proveChain: (hmac: string, g: Named, at: number): void =>
      write(() => {
        put.run(hmac, 'refresh_token', g.product, g.instanceId, g.licenseId, at)
        const seat = [g.product, g.instanceId, g.licenseId]
        outdate.run(...seat, ...seat)
      }),
    /** Whether any credential is known that proves this license at the instance. */
    hasProof: (g: Named): boolean => ofSeat.get(g.product, g.instanceId, g.licenseId) !== undefined,
    /** What the credential was accepted for at this instance, the last use first. */
    proven: (hmac: string, instanceId: string) =>
      (proven.all(hmac, instanceId) as { product: string; license_id: string }[]).map((row) => ({
        product: row.product,
        licenseId: row.license_id,
      })),
    /** The license that the credential proved at any instance. */
    licenseOf(hmac: string): { product: string; licenseId: string } | null {
      const row = last(hmac)
      return row ? { product: row.product, licenseId: row.license_id } : null
    },
    /** The instance that a token of its own was last accepted for. */
    instanceOf(hmac: string): { product: string; instanceId: string } | null {
      const row = last(hmac)
      return row ? { product: row.product, instanceId: row.instance_id } : null
    },
    /** Whether it was ever accepted for anything that is still known. */
    isKnown: (hmac: string): boolean => last(hmac) !== undefined,
    /**
     * The vendor does not accept this credential of the instance any more. `until`: unix milliseconds to which it would
     * prove something by its own signature; null where only what is known of it does.
     */
    disown: (hmac: string, instanceId: string, at: number, until: number | null): void =>
      write(() => {
        drop.run(hmac, instanceId)
        refuse.run(hmac, at, until)
      }),
    isRefused: (hmac: string): boolean => refused.get(hmac) !== undefined,
    /** The instance gave its seat back: no credential proves this license at it any more. */
    forget: ({ product, instanceId, licenseId }: Named): void =>
      write(() => void part.run(product, instanceId, licenseId)),
  }
}
