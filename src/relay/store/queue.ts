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

/** What a row costs beside its text. */
const ROW_BYTES = 160
/** A request of an instance is at most that. */
const LARGEST_REPORT = 64 * 1024

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
  const remove = database.prepare('delete from reports where id = ?')
  const total = database.prepare('select count(*) as length, coalesce(sum(bytes), 0) as bytes from reports')
  const oldest = database.prepare('select min(observed_at) as at from reports')
  const tooOld = database.prepare('delete from reports where observed_at < ?')
  const giveWay = database.prepare(`
    delete from reports where id = (
      select id from reports where not acknowledges order by kind = 'heartbeat', id limit 1
    ) returning bytes`)
  let { length, bytes } = measured()
  let dropped = 0
  onLost(() => {
    ;({ length, bytes } = measured())
  })

  function measured(): { length: number; bytes: number } {
    const row = total.get() as { length: number; bytes: number }
    return { length: row.length, bytes: row.bytes }
  }

  return {
    /** False where there is no room that something else could give. What waits already is not taken twice. */
    add: (report: Omit<QueuedReport, 'id'>): boolean =>
      write(() => {
        const { kind, product, instanceId, bootId, seq, observedAt, body, acknowledges, digest } = report
        if (waiting.get(instanceId, bootId, seq, product) !== undefined) return true
        const size = Buffer.byteLength(body) + ROW_BYTES
        if (size > LARGEST_REPORT) return false
        while (bytes + size > mostBytes) {
          const gone = giveWay.get() as { bytes: number } | undefined
          if (!gone) return false
          bytes -= gone.bytes
          length -= 1
          dropped += 1
        }
        put.run(kind, product, instanceId, bootId, seq, observedAt, size, body, acknowledges ? 1 : 0, digest)
        bytes += size
        length += 1
        return true
      }),
    /** The oldest first. */
    next: (most: number): QueuedReport[] => (next.all(most) as unknown as Row[]).map(reportOf),
    /** They are the vendor's now. */
    remove(ids: readonly number[]): void {
      write(() => {
        for (const id of ids) remove.run(id)
      })
      ;({ length, bytes } = measured())
    },
    /** Drops what the vendor would not take any more. `now`: unix milliseconds. */
    expire(now: number): void {
      dropped += Number(write(() => tooOld.run(now - mostAge)).changes)
      ;({ length, bytes } = measured())
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
