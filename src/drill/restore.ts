// The drill of a restore: a backup, an hour of life, and the backup in the place of the database. Products that have
// seen that hour must lose nothing, accuse nobody and go on to higher numbers (T12).
import { sql } from 'drizzle-orm'
import { generateKeyPair } from '../mint/keys.ts'
import type { Logger } from '../platform/logger.ts'
import type { DrillClock } from './clock.ts'
import { openCustomers } from './customer.ts'
import type { ScratchDatabase } from './scratch-database.ts'
import { must, type Step } from './steps.ts'
import { newMasterKey, openVendor, PRODUCT, sell, type Vendor, type VendorKeys } from './vendor.ts'

const HOUR_MS = 3_600_000
/** Every six hours: more than three days, within which two copies of an instance would show (T5). */
const ROUNDS = 14

interface Numbers extends Record<string, unknown> {
  event: number
  keys: number
  action: number
}

export async function drillRestore(
  scratch: ScratchDatabase,
  clock: DrillClock,
  log: Logger,
  step: Step,
): Promise<void> {
  const keys: VendorKeys = { masterKey: newMasterKey(), root: await generateKeyPair(), rootIsHere: true }
  const open = () => openVendor(scratch.url(), keys, clock, log)
  let vendor: Vendor | null = await open()
  const at = (): Vendor => {
    must(vendor !== null, 'no server runs')
    return vendor
  }
  const customers = await openCustomers(at, clock)
  try {
    const sold = await sell(at())
    await step('products start', async () => {
      await customers.join({ apiKey: sold.apiKey })
      await customers.join({ licenseKey: sold.licenseKey })
      return 'one by API key, one by license key'
    })

    await step('a backup is made', async () => {
      await scratch.snapshot()
      return 'while the server was open'
    })

    let before: Numbers = { event: 0, keys: 0, action: 0 }
    await step('an hour passes: new products, a rotation, actions', async () => {
      clock.advance(HOUR_MS / 2)
      await afterRestart(() => customers.ask())
      await customers.join({ apiKey: sold.apiKey })
      await customers.join({ licenseKey: sold.licenseKey })
      await at().admin('POST', '/signing-keys/rotate', { product: PRODUCT, use: 'license', activate_in: 0 })
      await act(at(), 'downgrade')
      await act(at(), 'none')
      // An SDK fetches a key set at most every 30 s.
      clock.advance(HOUR_MS / 2)
      await customers.ask()
      before = await numbers(at())
      return `events to ${before.event}, key set ${before.keys}, actions to ${before.action}`
    })

    await step('the database is lost, and the backup takes its place', async () => {
      await at().close()
      vendor = null
      await scratch.rewind()
      vendor = await open()
      const now = await numbers(vendor)
      must(now.event < before.event && now.keys < before.keys, 'nothing was taken back')
      return `events to ${now.event}, key set ${now.keys}`
    })

    await step('no product loses anything in three days', async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        clock.advance(round === 0 ? 3_000 : 6 * HOUR_MS)
        await customers.ask()
      }
      return `${customers.all().length} products, ${ROUNDS} rounds`
    })

    await step('nobody is accused of being a clone', async () => {
      const found = await at().admin('GET', '/anomalies?type=instance_cloned')
      must(found.length === 0, `${found.length} were`)
      return 'no anomaly'
    })

    await step('numbers go on above those that products remember', async () => {
      await at().admin('POST', '/signing-keys/rotate', { product: PRODUCT, use: 'license', activate_in: 0 })
      await act(at(), 'downgrade')
      const after = await numbers(at())
      for (const name of ['event', 'keys', 'action'] as const) {
        must(after[name] > before[name], `${name}: ${after[name]} is not above ${before[name]}`)
      }
      const licenses = customers.all()
      for (const license of licenses) await license.refreshNow()
      const told = licenses.filter((license) => license.downgraded).length
      must(told === 1, `${told} products obey the action, and 1 was meant`)
      return `events to ${after.event}, key set ${after.keys}, actions to ${after.action}`
    })
  } finally {
    await customers.leave()
    await vendor?.close()
  }
}

/** Connections that the backup cut off are noticed by the first use of each. */
async function afterRestart(work: () => Promise<void>): Promise<void> {
  await work().catch(work)
}

/** Acts on the oldest instance. */
async function act({ admin }: Vendor, action: string): Promise<void> {
  const instances: { id: string }[] = await admin('GET', `/instances?product=${PRODUCT}`)
  await admin('POST', `/instances/${instances.at(-1)?.id}/action`, { action, reason: 'drill' })
}

async function numbers({ services }: Vendor): Promise<Numbers> {
  const [row] = await services.db.execute<Numbers>(sql`
    select (select max(number) from events)::float8 as event, (select max(number) from key_sets)::float8 as keys,
      (select max(action_seq) from instances)::float8 as action`)
  must(row !== undefined, 'there are no numbers')
  return row
}
