// The fleet that the hot bench runs against: two products, their licenses, and instances of each kind.
import type postgres from 'postgres'
import { type Activated, activateInstances } from '../fleet/activated.ts'
import { type Admin, call } from '../fleet/admin.ts'
import { makeCustomers, makeProduct, type SoldLicense, sellLicenses } from '../fleet/catalog.ts'
import { cloneInstances } from '../fleet/clones.ts'
import { fewMetrics, heartbeatBody, newStreams } from './bodies.ts'

/** Instances need no credential. */
export const OPEN = 'bench-open'
/** Instances prove themselves with their token. */
export const TOKEN = 'bench-token'
export const LICENSED = 'open-'
export const UNLICENSED = 'stranger-'

export interface HotFleet {
  /** Of each kind: licensed and open, unlicensed and open, with a token. */
  instances: number
  openLicenses: readonly SoldLicense[]
  tokenLicenses: readonly SoldLicense[]
  activated: readonly Activated[]
  customers: readonly string[]
  newLicense(): Promise<SoldLicense>
}

export interface FleetSize {
  instances: number
  licenses: number
}

/** No license of the bench is ever full, but each has a limit, so that seats are counted. */
const SEATS = 100_000_000
const TOKEN_LICENSES = 200

export async function makeHotFleet(
  server: { url: string; admin: Admin },
  sql: postgres.Sql,
  { instances, licenses }: FleetSize,
): Promise<HotFleet> {
  const { admin, url } = server
  await makeProduct(admin, OPEN, 'open')
  await makeProduct(admin, TOKEN, 'token')
  const customers = await makeCustomers(admin)
  const sell = (product: string, count: number) =>
    sellLicenses(admin, { product, count, seats: SEATS, apiKeys: product === TOKEN }, customers)
  const openLicenses = await sell(OPEN, licenses)
  const tokenLicenses = await sell(TOKEN, Math.min(TOKEN_LICENSES, licenses))
  await cloneOpenFleet(url, sql, openLicenses, instances)
  const activated = await activateInstances(url, TOKEN, tokenLicenses, { count: instances, prefix: 'token-' })
  await sql`vacuum (analyze)`
  return {
    instances,
    openLicenses,
    tokenLicenses,
    activated,
    customers,
    async newLicense() {
      const [license] = await sell(OPEN, 1)
      if (!license) throw new Error('no license was made')
      return license
    },
  }
}

/** One licensed and one unlicensed instance come through the server; the others are copies of them. */
async function cloneOpenFleet(
  url: string,
  sql: postgres.Sql,
  licenses: readonly SoldLicense[],
  count: number,
): Promise<void> {
  await activateInstances(url, OPEN, licenses.slice(0, 1), { count: 1, prefix: 'template-' })
  for (const [template, prefix, licensed] of [
    ['template-0', LICENSED, true],
    ['template-none', UNLICENSED, false],
  ] as const) {
    await call(url, 'POST', '/api/v1/instances/heartbeat', {
      body: JSON.parse(
        heartbeatBody({
          product: OPEN,
          instanceId: template,
          licensed,
          bootId: newStreams().bootId,
          seq: 0,
          metrics: fewMetrics(0, licensed),
        }),
      ),
    })
    await cloneInstances(sql, {
      product: OPEN,
      template,
      prefix,
      first: 0,
      count,
      licenses: licensed ? licenses : [],
    })
  }
}
