// Which rows are of no more use, and drops them. What still refuses something stays, however old (T3).
import type { DatabaseSync } from 'node:sqlite'
import { CHURN_DAYS } from '../../contract/seats.ts'
import type { Commits } from './commits.ts'

const DAY_MS = 86_400_000
/** Days without use: the vendor forgets who is silent that long, and no allotment lasts longer. */
const UNUSED = 31 * DAY_MS
/** Longer than any lease that the vendor signs: whatever a word refused has ended by then. */
const OVER = 400 * DAY_MS

/** Drops them. `now`: unix milliseconds, by a clock that is the vendor's. Returns how many rows went. */
export type Prune = (now: number) => number

export function pruning(database: DatabaseSync, { write }: Commits): Prune {
  // A word about a license guards until the last grant of it that is kept here has ended, a killed instance likewise.
  const rejections = database.prepare(`
    delete from rejections where heard_at < ? and not exists (select 1 from grants g
      where g.product = rejections.product and g.expires_at * 1000 > ?
        and (g.license_id = rejections.license_id or g.instance_id = rejections.instance_id))`)
  const instances = database.prepare(`
    delete from instances where seen_at < case when action = 'none' then ? else ? end
      and not exists (select 1 from grants g
        where g.product = instances.product and g.instance_id = instances.instance_id)
      and not exists (select 1 from leases l where l.instance_id = instances.instance_id)`)
  const proofs = database.prepare(`
    delete from proofs where used_at < ?
      and not exists (select 1 from grants g where g.product = proofs.product
        and g.instance_id = proofs.instance_id and g.license_id = proofs.license_id)
      and not exists (select 1 from leases l
        where l.license_id = proofs.license_id and l.instance_id = proofs.instance_id)`)
  // A credential that the vendor refused stays so while it would prove something: by its signature, or as one known.
  const refused = database.prepare(`
    delete from refused where (until is null or until < ?)
      and not exists (select 1 from proofs p where p.hmac = refused.hmac)`)

  const newcomers = database.prepare('delete from newcomers where first_at <= ?')

  return (now) =>
    write(() => {
      const dropped = [
        rejections.run(now - OVER, now),
        instances.run(now - UNUSED, now - OVER),
        proofs.run(now - UNUSED),
        refused.run(now),
        newcomers.run(now / 1000 - CHURN_DAYS * 86_400),
      ]
      return dropped.reduce((sum, { changes }) => sum + Number(changes), 0)
    })
}
