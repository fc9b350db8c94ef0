// The instances that the vendor answered, and the last plain action of each. Bounded: an id costs a stranger nothing.
import type { DatabaseSync } from 'node:sqlite'
import type { Action } from '../../contract/claims.ts'
import type { Commits } from './commits.ts'

export interface KeptInstance {
  product: string
  instanceId: string
  action: Action
  /** JSON of the last `config`, or null. */
  config: string | null
  /** Unix milliseconds. */
  syncedAt: number
  seenAt: number
}

interface Row {
  product: string
  instance_id: string
  action: Action
  config: string | null
  synced_at: number
  seen_at: number
}

/** `most` bounds how many are kept; those that hold a seat or stand under an action never give way. */
export function instanceStore(database: DatabaseSync, { write, onLost }: Commits, most: number) {
  const update = database.prepare(`
    update instances set action = case when signed then action else ? end, config = coalesce(?, config),
      synced_at = ?, seen_at = ? where product = ? and instance_id = ?`)
  const insert = database.prepare(`
    insert into instances (action, config, synced_at, seen_at, product, instance_id) values (?, ?, ?, ?, ?, ?)`)
  const obey = database.prepare(
    'update instances set action = ?, signed = 1 where product = ? and instance_id = ?',
  )
  const see = database.prepare('update instances set seen_at = ? where product = ? and instance_id = ?')
  const find = database.prepare('select * from instances where product = ? and instance_id = ?')
  const total = database.prepare('select count(*) as length from instances')
  const giveWay = database.prepare(`
    delete from instances where rowid = (
      select i.rowid from instances i where i.action = 'none' and not exists
        (select 1 from grants g where g.product = i.product and g.instance_id = i.instance_id)
        and not exists (select 1 from leases l where l.instance_id = i.instance_id)
      order by i.seen_at limit 1)`)
  let length = counted()
  onLost(() => {
    length = counted()
  })

  function counted(): number {
    return (total.get() as { length: number }).length
  }

  return {
    /** Its plain action is taken only where no directive ever spoke about the instance. */
    touch: ({ product, instanceId, action, config, syncedAt, seenAt }: KeptInstance): void =>
      write(() => {
        const values = [action, config, syncedAt, seenAt, product, instanceId]
        if (Number(update.run(...values).changes) > 0) return
        if (length >= most && Number(giveWay.run().changes) === 0) return
        if (length < most) length += 1
        insert.run(...values)
      }),
    /** A directive said so: plain words about it count no more. */
    obey: (product: string, instanceId: string, action: Action): void =>
      write(() => void obey.run(action, product, instanceId)),
    see: (product: string, instanceId: string, at: number): void =>
      write(() => void see.run(at, product, instanceId)),
    instance(product: string, instanceId: string): KeptInstance | null {
      const row = find.get(product, instanceId) as Row | undefined
      if (!row) return null
      const { action, config, synced_at: syncedAt, seen_at: seenAt } = row
      return { product, instanceId, action, config, syncedAt, seenAt }
    },
    /** What was pruned elsewhere is counted anew. */
    recount: (): void => {
      length = counted()
    },
  }
}
