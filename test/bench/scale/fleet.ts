// A fleet that grows in its database: copies of one instance that came through the server.
import postgres from 'postgres'
import { activateInstances } from '../fleet/activated.ts'
import { type Admin, call } from '../fleet/admin.ts'
import { makeCustomers, makeProduct, type SoldLicense, sellLicenses } from '../fleet/catalog.ts'
import { cloneInstances } from '../fleet/clones.ts'
import { fewMetrics, heartbeatBody, newStreams } from '../hot/bodies.ts'
import { LICENSED, OPEN } from '../hot/fleet.ts'
import { freezeIdle } from '../lab/freeze.ts'
import { tell } from '../lab/numbers.ts'
import type { Program } from '../lab/program.ts'
import { indexesAside } from './indexes.ts'

export interface ScaleFleet {
  /** Of its database. */
  name: string
  url: string
  /** Of the server's data. */
  folder: string
  server: Program & { dataDir: string }
  admin: Admin
  sql: postgres.Sql
  licenses: readonly SoldLicense[]
  /** How many instances it has. */
  size(): number
  growTo(size: number): Promise<void>
  close(): Promise<void>
}

const SEATS = 100_000_000
const CHUNK = 250_000
/** Of instances that were last heard long ago, one in so many. */
const SILENT_ONE_IN = 100
const SILENT_DAYS = 3
const HEARD = ['last_seen_at', 'seen_mark']

type Place = Pick<ScaleFleet, 'name' | 'url' | 'folder' | 'server' | 'admin'> & { licenses: number }

export async function scaleFleet({ licenses: count, ...place }: Place): Promise<ScaleFleet> {
  const sql = postgres(place.url, { max: 1, onnotice: () => {} })
  await makeProduct(place.admin, OPEN, 'open')
  const customers = await makeCustomers(place.admin)
  const sale = { product: OPEN, count, seats: SEATS, apiKeys: false }
  const licenses = await sellLicenses(place.admin, sale, customers)
  await makeTemplate(place.server.url, licenses)
  let size = 0
  return {
    ...place,
    sql,
    licenses,
    size: () => size,
    async growTo(wanted) {
      await grow(sql, place, licenses, size, wanted)
      size = wanted
    },
    close: () => sql.end({ timeout: 5 }),
  }
}

const TEMPLATE = 'template-0'

async function makeTemplate(url: string, licenses: readonly SoldLicense[]): Promise<void> {
  await activateInstances(url, OPEN, licenses.slice(0, 1), { count: 1, prefix: 'template-' })
  const body = heartbeatBody({
    product: OPEN,
    instanceId: TEMPLATE,
    licensed: true,
    bootId: newStreams().bootId,
    seq: 0,
    metrics: fewMetrics(0, true),
  })
  await call(url, 'POST', '/api/v1/instances/heartbeat', { body: JSON.parse(body) })
}

/** In chunks; every second one holds a seat of the first license, the others are spread over all. */
async function grow(
  sql: postgres.Sql,
  { name, server }: Pick<ScaleFleet, 'name' | 'server'>,
  licenses: readonly SoldLicense[],
  from: number,
  to: number,
): Promise<void> {
  await freezeIdle(server, sql)
  // Triggers would note down each instance for the jobs that keep sums, which count anew at night: so let them.
  await sql`set session_replication_role = replica`
  await indexesAside(sql, ['instances', 'activations'], async () => {
    for (let first = from; first < to; first += CHUNK) {
      tell(`${name}: ${first} of ${to} instances`)
      const count = Math.min(CHUNK, to - first)
      const half = Math.ceil(count / 2)
      const made = { product: OPEN, template: TEMPLATE, prefix: LICENSED }
      await cloneInstances(sql, { ...made, first, count: half, licenses: licenses.slice(0, 1) })
      if (count > half) {
        await cloneInstances(sql, { ...made, first: first + half, count: count - half, licenses })
      }
    }
  })
  await silence(sql)
  await sql`set session_replication_role = origin`
  tell(`${name}: statistics`)
  await sql`vacuum (freeze, analyze)`
  await sql`checkpoint`
  server.resume()
}

/** Puts back when one in a hundred was last heard, by the report and by the mark that the jobs go by. */
async function silence(sql: postgres.Sql): Promise<void> {
  const columns = await sql<{ name: string }[]>`
    select column_name as name from information_schema.columns
    where table_schema = current_schema() and table_name = 'instances' and column_name in ${sql(HEARD)}`
  const back = columns.map(({ name }) => `${name} = now() - interval '${SILENT_DAYS} days'`)
  await sql.unsafe(`update instances set ${back.join(', ')}
    where ('x' || substr(instance_key::text, 1, 6))::bit(24)::int % ${SILENT_ONE_IN} = 0`)
}
