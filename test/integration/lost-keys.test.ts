// Keys that are lost for good, as the products of customers live through it. What the server says is tested with its start.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type DrillClock, drillClock } from '../../src/drill/clock.ts'
import {
  newMasterKey,
  openVendor,
  PRODUCT,
  sell,
  type Vendor,
  type VendorKeys,
} from '../../src/drill/vendor.ts'
import { generateKeyPair, type KeyPairBytes } from '../../src/mint/keys.ts'
import { nodeHost } from '../../src/sdk/host/node.ts'
import { startLicenseOn } from '../../src/sdk/start.ts'
import { cloneDatabase } from '../support/database.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const HOUR = 3_600_000
const folder = await temporaryFolder('leasehold-test-lost-')
afterAll(() => rm(folder, { recursive: true, force: true }))

const hex = ({ publicKey }: KeyPairBytes) => Buffer.from(publicKey).toString('hex')
const quiet = { info() {}, warn() {}, error() {} }

/** A product that pins these roots and asks whichever vendor there is now. */
const start = (
  vendor: () => Vendor,
  clock: DrillClock,
  name: string,
  apiKey: string,
  pinned: KeyPairBytes[],
) =>
  startLicenseOn(
    nodeHost({
      clock: { wall: () => clock.now().getTime(), monotonic: () => clock.monotonic() },
      fetch: (to, init) => vendor().fetch(to, init),
      log: quiet,
    }),
    {
      product: PRODUCT,
      version: '1',
      serverUrl: vendor().url,
      trust: { issuer: vendor().services.settings.issuer, roots: pinned.map(hex) },
      dataDir: join(folder, name),
      apiKey,
    },
  )

test('a lost master key: products run on, and trust a server that begins anew with the same root key', async () => {
  const [lost, fresh] = [await cloneDatabase(), await cloneDatabase()]
  const clock = drillClock(new Date())
  const root = await generateKeyPair()
  const keys = (): VendorKeys => ({ masterKey: newMasterKey(), root, rootIsHere: true })
  let vendor = await openVendor(lost.url, keys(), clock, silentLog)
  const before = await start(() => vendor, clock, 'master', (await sell(vendor)).apiKey, [root])
  await vendor.close()

  clock.advance(HOUR)
  vendor = await openVendor(fresh.url, keys(), clock, silentLog)
  const sold = await sell(vendor)
  await before.refreshNow()
  expect(before).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
  await before.stop()
  const after = await start(() => vendor, clock, 'master', sold.apiKey, [root])
  await after.refreshNow()
  expect(after).toMatchObject({ state: 'ACTIVE', tier: 'pro', source: 'online' })
  const { keySetNumber } = await vendor.services.keyring.current()
  expect(after.diagnostics()).toMatchObject({ keySetNumber, lastFailure: null })
  await after.stop()
  await vendor.close()
  for (const clone of [lost, fresh]) await clone.drop()
})

test('a lost root key: leases go on, and products that pin the new one beside the old follow a rotation', async () => {
  const clone = await cloneDatabase()
  const clock = drillClock(new Date())
  const [old, next] = [await generateKeyPair(), await generateKeyPair()]
  const keys: VendorKeys = { masterKey: newMasterKey(), root: old, rootIsHere: true }
  let vendor = await openVendor(clone.url, keys, clock, silentLog)
  const { apiKey } = await sell(vendor)
  const begin = (name: string, pinned: KeyPairBytes[]) => start(() => vendor, clock, name, apiKey, pinned)
  const stuck = await begin('old', [old])
  const prepared = await begin('both', [old, next])
  await vendor.close()
  keys.root = next
  vendor = await openVendor(clone.url, keys, clock, silentLog)

  clock.advance(HOUR)
  for (const license of [stuck, prepared]) {
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
    expect(license.diagnostics().lastFailure).toBeNull()
  }
  for (const use of ['license', 'control']) {
    await vendor.admin('POST', '/signing-keys/rotate', { product: PRODUCT, use, activate_in: 0 })
  }
  clock.advance(HOUR)
  for (const license of [stuck, prepared]) {
    await license.refreshNow()
    expect(license).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
  }
  expect(prepared.diagnostics().lastFailure).toBeNull()
  expect(stuck.diagnostics().lastFailure).toContain('unknown_key')
  for (const license of [stuck, prepared]) await license.stop()
  const shipped = await begin('new', [next])
  expect(shipped).toMatchObject({ state: 'ACTIVE', tier: 'pro', source: 'online' })
  await shipped.stop()
  await vendor.close()
  await clone.drop()
})
