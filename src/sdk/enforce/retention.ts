// Keeps what a database holds within the license: the days of each scope, told to each table whenever they change.
import { wordsOf } from '../guard.ts'
import { insideOf } from '../runtime/inside.ts'
import type { ScopeDays } from './clickhouse.ts'
import type { EnforcedLicense } from './limits.ts'

/** A tenant's environment, or whatever has days of its own. */
export interface RetentionScope<L extends string = string> {
  scope: string
  /** Days as configured, by limit; where none are, the cap counts. */
  days: Readonly<Partial<Record<L, number>>>
}

export interface RetentionOptions<L extends string = string> {
  /** The limit that holds for each table. */
  tables: Readonly<Record<string, L>>
  scopes: () => readonly RetentionScope<L>[] | Promise<readonly RetentionScope<L>[]>
  /**
   * Gets all scopes of a table at once: ClickHouse's `MODIFY TTL` replaces the whole table's TTL. No rows: nothing limits
   * the table any more, which had some.
   */
  apply: (table: string, rows: readonly ScopeDays[]) => unknown
}

export interface RetentionPolicy {
  /** After a scope has changed; resolves when all tables have been told. Never rejects. */
  applyNow(): Promise<void>
  /** Hears of no more changes. */
  stop(): void
}

/**
 * Applies `min(cap, configured)` days now and on each change of license. What fails is logged, stops nothing else, and is
 * tried again at the next change; what has not changed is not applied again.
 */
export function retentionPolicy<F extends string, L extends string, D>(
  license: EnforcedLicense<F, L, D>,
  { tables, scopes, apply }: RetentionOptions<L>,
): RetentionPolicy {
  const { host } = insideOf(license)
  const applied = new Map<string, { rows: readonly ScopeDays[]; text: string | null }>()
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null

  /** Null where nothing limits a scope. One that says nonsense keeps what it had, or gets the cap. */
  function daysOf(one: RetentionScope<L>, limit: L, before: readonly ScopeDays[]): ScopeDays | null {
    const { scope } = one
    const cap = license.limits()[limit]?.cap ?? 0
    let effective: number
    try {
      effective = Math.min(cap, one.days[limit] ?? Number.POSITIVE_INFINITY)
      if (effective !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(effective) && effective >= 0))
        throw new TypeError(`${limit} is ${String(one.days[limit])}`)
    } catch (error) {
      host.log.warn(`Retention of ${scope} is left alone: ${wordsOf(error)}`)
      effective = Math.min(cap, before.find((row) => row.scope === scope)?.days ?? Number.POSITIVE_INFINITY)
    }
    return effective === Number.POSITIVE_INFINITY ? null : { scope, days: effective }
  }

  async function applyTo(table: string, limit: L, all: readonly RetentionScope<L>[]): Promise<void> {
    const before = applied.get(table)
    const rows: ScopeDays[] = []
    for (const one of all) {
      try {
        const row = daysOf(one, limit, before?.rows ?? [])
        if (row) rows.push(row)
      } catch (error) {
        host.log.warn(`Retention of a scope is left alone: ${wordsOf(error)}`)
      }
    }
    const text = JSON.stringify(rows)
    if (before ? before.text === text : rows.length === 0) return
    try {
      await apply(table, rows)
      applied.set(table, { rows, text })
    } catch (error) {
      // What it came to is unknown.
      applied.set(table, { rows: before?.rows ?? [], text: null })
      host.log.warn(`Retention of ${table} could not be applied: ${wordsOf(error)}`)
    }
  }

  async function applyAll(): Promise<void> {
    try {
      const all = await scopes()
      for (const [table, limit] of Object.entries<L>(tables)) await applyTo(table, limit, all)
    } catch (error) {
      host.log.warn(`Retention could not be applied: ${wordsOf(error)}`)
    }
  }

  /** One run at a time; whoever asks meanwhile gets one more after it. */
  function applyNow(): Promise<void> {
    if (!running) {
      running = applyAll().finally(() => {
        running = null
      })
      return running
    }
    next ??= running.then(() => {
      next = null
      return applyNow()
    })
    return next
  }

  void applyNow()
  const stop = license.on('change', () => applyNow())
  return { applyNow, stop }
}
