// The figures as the admin API shows them, as JSON and as a table. Pure.

import type { StatsAnswer } from '../../contract/admin-stats.schema.ts'
import { EXPIRY_DAYS, LAST_SEEN, LICENSE_STATES, SEAT_STATES } from '../../contract/admin-stats.ts'
import { PROOFS } from '../../contract/catalog.ts'
import { ACTIONS } from '../../contract/claims.ts'
import type { Breakdown, Stats } from '../../domain/stats/read-stats.ts'
import { addDays, fromUnixSeconds, rfc3339, unixSeconds } from '../../platform/time.ts'
import { type Cell, csvOf } from '../table-answer.ts'

export function presentStats(stats: Stats): StatsAnswer {
  const { fleet, licenses } = stats
  const rowsOf = (breakdown: Breakdown) => fleet.filter((row) => row.breakdown === breakdown)
  const byText = (breakdown: Breakdown) =>
    rowsOf(breakdown).map(({ value, count, verified }) => ({
      value: value === '' ? null : value,
      count,
      verified,
    }))
  const one = (breakdown: Breakdown, value = '') =>
    rowsOf(breakdown).find((row) => row.value === value) ?? { count: 0, verified: 0 }
  const byName = <const Name extends string>(breakdown: Breakdown, names: readonly Name[]) =>
    names.map((value) => {
      const { count, verified } = one(breakdown, value)
      return { value, count, verified }
    })
  return {
    product: stats.product,
    at: rfc3339(stats.now),
    instances: {
      total: one('all').count,
      verified: one('all').verified,
      deactivated: one('deactivated').count,
      by_version: byText('version'),
      by_tier: byText('tier'),
      by_os: byText('os'),
      by_last_seen: byName('last_seen', LAST_SEEN),
      by_license_state: byName('license_state', SEAT_STATES),
      by_proof: byName('proof', PROOFS),
    },
    actions: ACTIONS.map((action) => ({
      action,
      set: one('action', action).count,
      outstanding: one('outstanding', action).count,
    })),
    licenses: {
      total: Object.values(licenses.states).reduce((sum, count) => sum + count, 0),
      trials: licenses.trials,
      perpetual: licenses.perpetual,
      by_state: LICENSE_STATES.map((value) => ({ value, count: licenses.states[value] ?? 0 })),
      expiring: EXPIRY_DAYS.map((days) => ({
        within_days: days,
        count: licenses[`expiring_${days}`],
        href: expiringHref(stats, days),
      })),
    },
  }
}

/** The list of the very licenses that were counted. */
function expiringHref({ product, now }: Stats, days: number): string {
  const from = fromUnixSeconds(unixSeconds(now))
  const query = new URLSearchParams({
    ...(product === null ? {} : { product }),
    status: 'active',
    expiring_after: rfc3339(from),
    expiring_before: rfc3339(addDays(from, days)),
  })
  return `/api/v1/admin/licenses?${query}`
}

/** One line a figure, long rather than wide: a new figure adds lines and moves no column. */
export function statsCsv({ instances, actions, licenses }: StatsAnswer): string {
  const { total, verified, deactivated, ...breakdowns } = instances
  const records: Cell[][] = [
    ['instances', 'total', total, verified],
    ['instances', 'deactivated', deactivated, null],
  ]
  for (const [name, rows] of Object.entries(breakdowns)) {
    for (const row of rows) records.push([`instances_${name}`, row.value, row.count, row.verified])
  }
  for (const { action, set, outstanding } of actions) {
    records.push(['actions_set', action, set, null], ['actions_outstanding', action, outstanding, null])
  }
  records.push(
    ['licenses', 'total', licenses.total, null],
    ['licenses', 'trials', licenses.trials, null],
    ['licenses', 'perpetual', licenses.perpetual, null],
  )
  for (const { value, count } of licenses.by_state) records.push(['licenses_by_state', value, count, null])
  for (const { within_days, count } of licenses.expiring) {
    records.push(['licenses_expiring_within_days', within_days, count, null])
  }
  return csvOf(['figure', 'value', 'count', 'verified'], records)
}
