// Reports that wait for the vendor, in order, on disk. Bounded: the oldest telemetry goes first, heartbeats that carry
// an acknowledgement never do. Sends nothing.
import type { DatabaseSync } from 'node:sqlite'
import type { Commits } from './commits.ts'

export interface QueuedReport {
  id: number
  kind: 'heartbeat' | 'telemetry'
  product: string
  instanceId: string
  bootId: string
  seq: number
  /** Unix milliseconds. */
  observedAt: number
  /** JSON: what else the report says. */
  body: string
  /** Carries an acknowledgement of an action: never gives way. */
  acknowledges: boolean
  /** By which a repetition is known of what the relay numbered itself; null where its sender did. */
  digest: string | null
}

interface Row {
  id: number
  kind: QueuedReport['kind']
  product: string
  instance_id: string
  boot_id: string
  seq: number
  observed_at: number
  body: string
  acknowledges: number
  digest: string | null
}

type Holder = Pick<Row, 'product' | 'instance_id'>

const holderOf = ({ product, instance_id }: Holder): string => `${product}\0${instance_id}`

/** What a row costs beside its text. */
const ROW_BYTES = 160
/** A request of an instance is at most that. */
const LARGEST_REPORT = 64 * 1024
/** Of the whole: what one instance may hold of it. By default 4 MiB, some 10,000 heartbeats: 30 days of one in 5 min. */
const INSTANCE_PART = 1 / 64

export type ReportQueue = ReturnType<typeof reportQueue>

/** `mostBytes` bounds what is kept, `mostAge` (milliseconds) what is worth delivering: the vendor takes 30 days. */
export function reportQueue(
  database: DatabaseSync,
  { write, onLost }: Commits,
  { mostBytes, mostAge }: { mostBytes: number; mostAge: number },
) {
  const put = database.prepare(`
    insert into reports (kind, product, instance_id, boot_id, seq, observed_at, bytes, body, acknowledges, digest)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const waiting = database.prepare(
    'select 1 as found from reports where instance_id = ? and boot_id = ? and seq = ? and product = ?',
  )
  const digests = database.prepare(
    'select digest, boot_id, seq, observed_at from reports where digest is not null and observed_at >= ? order by id',
  )
  const next = database.prepare('select * from reports order by id limit ?')
  const remove = database.prepare('delete from reports where id = ? returning product, instance_id, bytes')
  const total = database.prepare(
    'select product, instance_id, count(*) as length, sum(bytes) as bytes from reports group by product, instance_id',
  )
  const oldest = database.prepare('select min(observed_at) as at from reports')
  const tooOld = database.prepare('delete from reports where observed_at < ?')
  const giveWay = database.prepare(`
    delete from reports where id = (
      select id from reports where not acknowledges order by kind = 'heartbeat', id limit 1
    ) returning product, instance_id, bytes`)
  const ownGiveWay = database.prepare(`
    delete from reports where id = (
      select id from reports where instance_id = ? and product = ? and not acknowledges
      order by kind = 'heartbeat', id limit 1
    ) returning product, instance_id, bytes`)
  const share = Math.max(LARGEST_REPORT, Math.floor(mostBytes * INSTANCE_PART))
  /** Bytes of each instance that something waits of. */
  const held = new Map<string, number>()
  let length = 0
  let bytes = 0
  let dropped = 0
  measure()
  onLost(measure)

  function measure(): void {
    length = 0
    bytes = 0
    held.clear()
    for (const row of total.all() as unknown as (Holder & { length: number; bytes: number })[]) {
      length += row.length
      bytes += row.bytes
      held.set(holderOf(row), row.bytes)
    }
  }

  function account(holder: string, reports: 1 | -1, size: number): void {
    length += reports
    bytes += reports * size
    const left = (held.get(holder) ?? 0) + reports * size
    if (left > 0) held.set(holder, left)
    else held.delete(holder)
  }

  function drop(gone: unknown): boolean {
    if (gone === undefined) return false
    const row = gone as Holder & { bytes: number }
    account(holderOf(row), -1, row.bytes)
    dropped += 1
    return true
  }

  return {
    /** False where there is no room that something else could give, of its own or of all. Nothing is taken twice. */
    add: (report: Omit<QueuedReport, 'id'>): boolean =>
      write(() => {
        const { kind, product, instanceId, bootId, seq, observedAt, body, acknowledges, digest } = report
        if (waiting.get(instanceId, bootId, seq, product) !== undefined) return true
        const size = Buffer.byteLength(body) + ROW_BYTES
        if (size > LARGEST_REPORT) return false
        const holder = holderOf({ product, instance_id: instanceId })
        while ((held.get(holder) ?? 0) + size > share) {
          if (!drop(ownGiveWay.get(instanceId, product))) return false
        }
        while (bytes + size > mostBytes) {
          if (!drop(giveWay.get())) return false
        }
        put.run(kind, product, instanceId, bootId, seq, observedAt, size, body, acknowledges ? 1 : 0, digest)
        account(holder, 1, size)
        return true
      }),
    /** The oldest first. */
    next: (most: number): QueuedReport[] => (next.all(most) as unknown as Row[]).map(reportOf),
    /** They are the vendor's now. */
    remove(ids: readonly number[]): void {
      write(() => {
        for (const id of ids) {
          const gone = remove.get(id) as (Holder & { bytes: number }) | undefined
          if (gone) account(holderOf(gone), -1, gone.bytes)
        }
      })
    },
    /** Drops what the vendor would not take any more. `now`: unix milliseconds. */
    expire(now: number): void {
      dropped += Number(write(() => tooOld.run(now - mostAge)).changes)
      measure()
    },
    /** Those that the relay numbered itself, the oldest first. `since`: unix milliseconds. */
    digestsSince: (since: number) =>
      (digests.all(since) as unknown as Row[]).map((row) => ({
        digest: row.digest ?? '',
        bootId: row.boot_id,
        seq: row.seq,
        observedAt: row.observed_at,
      })),
    /** `oldestAt`: unix milliseconds, or null. */
    standing: () => ({
      length,
      bytes,
      dropped,
      oldestAt: (oldest.get() as { at: number | null }).at,
    }),
  }
}

const reportOf = (row: Row): QueuedReport => ({
  id: row.id,
  kind: row.kind,
  product: row.product,
  instanceId: row.instance_id,
  bootId: row.boot_id,
  seq: row.seq,
  observedAt: row.observed_at,
  body: row.body,
  acknowledges: row.acknowledges !== 0,
  digest: row.digest,
})
