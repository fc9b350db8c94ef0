// A customer's product in a drill: the SDK as a product has it, under the drill's clock, with a folder of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeHost } from '../sdk/host/node.ts'
import type { License } from '../sdk/public.ts'
import { startLicenseOn } from '../sdk/start.ts'
import type { DrillClock } from './clock.ts'
import { must } from './steps.ts'
import { FEATURE, PRODUCT, type Vendor } from './vendor.ts'

const silent = { info() {}, warn() {}, error() {} }

export interface Customers {
  /** Starts one more. */
  join(credential: { apiKey: string } | { licenseKey: string }): Promise<License>
  all(): readonly License[]
  /** Each asks the server now. @throws DrillError when one has lost anything, or was not answered. */
  ask(): Promise<void>
  leave(): Promise<void>
}

/** `vendor` is asked for at each request: it may have been opened anew. */
export async function openCustomers(vendor: () => Vendor, clock: DrillClock): Promise<Customers> {
  const folder = await mkdtemp(join(tmpdir(), 'leasehold-drill-sdk-'))
  const { services, url } = vendor()
  const licenses: License[] = []
  const host = nodeHost({
    clock: { wall: () => clock.now().getTime(), monotonic: () => clock.monotonic() },
    fetch: (to, init) => vendor().fetch(to, init),
    log: silent,
  })
  return {
    async join(credential) {
      const license = await startLicenseOn(host, {
        product: PRODUCT,
        version: '1.0.0',
        serverUrl: url,
        trust: { issuer: services.settings.issuer, roots: [services.rootPublicKeyHex] },
        dataDir: join(folder, String(licenses.length)),
        ...credential,
      })
      licenses.push(license)
      unharmed(license)
      return license
    },
    all: () => licenses,
    async ask() {
      for (const license of licenses) {
        await license.refreshNow()
        unharmed(license)
      }
    },
    async leave() {
      for (const license of licenses) await license.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function unharmed(license: License): void {
  const { state, tier, reason } = license
  must(state === 'ACTIVE' && tier === 'pro', `an SDK is ${state}, tier ${tier} (${reason ?? 'no reason'})`)
  must(license.has(FEATURE), 'an SDK has lost a feature')
  const { lastFailure } = license.diagnostics()
  must(lastFailure === null, `an SDK was not answered: ${lastFailure}`)
}
