// The rate of heartbeats over a small and over a large fleet, drawn uniformly over all of each.
import { setTimeout as sleep } from 'node:timers/promises'
import { openHeartbeats } from '../hot/anchor-rows.ts'
import { newStreams, type Streams } from '../hot/bodies.ts'
import { type Figures, measure } from '../hot/measure.ts'
import { table } from '../hot/table.ts'
import { median, tell } from '../lab/numbers.ts'
import type { ScaleFleet } from './fleet.ts'
import type { ScaleLab } from './lab.ts'

const HEARTBEAT = '/api/v1/instances/heartbeat'
const MOST_A_SECOND = 12_000
/** The tables and indexes that heartbeats read, brought to memory as weeks of work would. */
const WARMED = ['instances', 'instances_pkey', 'activations', 'activations_pk']

export interface RateOptions {
  runs: number
  seconds: number
  connections: number
}

export async function compareRates(lab: ScaleLab, options: RateOptions): Promise<string> {
  const fleets = [lab.small, lab.large]
  const streams = fleets.map(() => newStreams())
  const runs: Figures[][] = fleets.map(() => [])
  for (const fleet of fleets) await warm(fleet)
  // Round 0 warms up and does not count.
  for (let round = 0; round <= options.runs; round += 1) {
    for (const [i, fleet] of fleets.entries()) {
      const figures = await run(lab, fleet, streams[i] ?? newStreams(), options)
      tell(`${fleet.size()} instances: ${figures.rate.toFixed(0)} heartbeats a second`)
      if (round > 0) runs[i]?.push(figures)
    }
  }
  const [few = Number.NaN, many = Number.NaN] = runs.map((of) => median(of.map(({ rate }) => rate)))
  return [
    table(fleets.map((fleet, i) => ({ title: `${fleet.size()} instances`, runs: runs[i] ?? [] }))),
    `\nRate over the large fleet / over the small one: ${(many / few).toFixed(2)} (wanted ≥ 0.85)`,
  ].join('\n')
}

async function run(
  { database, small, large }: ScaleLab,
  fleet: ScaleFleet,
  streams: Streams,
  { seconds, connections }: RateOptions,
): Promise<Figures> {
  const other = fleet === small ? large : small
  const requests = openHeartbeats(HEARTBEAT, streams, fleet.size(), MOST_A_SECOND * seconds)
  await sleep(0)
  return measure({
    database,
    counted: fleet.name,
    programs: [fleet.server],
    others: [other.server],
    load: { connections, seconds, list: { requests, repeats: false }, folder: database.folder },
  })
}

async function warm({ sql, name }: ScaleFleet): Promise<void> {
  tell(`${name}: warming`)
  await sql`create extension if not exists pg_prewarm`
  const found = await sql<{ name: string }[]>`
    select relname as name from pg_class where relname in ${sql(WARMED)}`
  for (const { name } of found) await sql`select pg_prewarm(${name}::text::regclass, 'read')`
}
