// The drill of keys: a license key through its whole life, the control key, the raw key, a root on another machine, the master key; with
// products that must notice nothing.
import { randomBytes } from 'node:crypto'
import type { KeySetClaims, KeyUse } from '../contract/claims.ts'
import { DIRECTIVE_TYP, KEY_SET_TYP, LICENSE_TYP } from '../contract/claims.ts'
import { rotateMasterKey } from '../domain/signing/rotate-master-key.ts'
import { readCompactJws } from '../license/compact-jws.ts'
import { generateKeyPair, openRootKey } from '../mint/keys.ts'
import { signJws } from '../mint/sign-jws.ts'
import type { Logger } from '../platform/logger.ts'
import { HOUR_SECONDS } from '../platform/time.ts'
import type { DrillClock } from './clock.ts'
import { openCustomers } from './customer.ts'
import type { ScratchDatabase } from './scratch-database.ts'
import { must, type Step } from './steps.ts'
import {
  type Answer,
  newMasterKey,
  openVendor,
  PRODUCT,
  sell,
  type Vendor,
  type VendorKeys,
} from './vendor.ts'

const HOUR_MS = 3_600_000

export async function drillRotation(
  scratch: ScratchDatabase,
  clock: DrillClock,
  log: Logger,
  step: Step,
): Promise<void> {
  const keys: VendorKeys = { masterKey: newMasterKey(), root: await generateKeyPair(), rootIsHere: true }
  let vendor = await openVendor(scratch.url(), keys, clock, log)
  const reopen = async (): Promise<void> => {
    await vendor.close()
    vendor = await openVendor(scratch.url(), keys, clock, log)
  }
  const customers = await openCustomers(() => vendor, clock)
  try {
    const sold = await sell(vendor)
    const exchange = (): Promise<Answer> =>
      vendor.call('POST', '/api/v1/licenses/token', {
        bearer: sold.apiKey,
        body: { instance_id: 'plain', version: '1', nonce: newNonce() },
      })
    let lease = ''
    let first = ''
    await step('products start and hold a lease', async () => {
      await customers.join({ apiKey: sold.apiKey })
      await customers.join({ licenseKey: sold.licenseKey })
      lease = (await exchange()).body.jwt
      first = kidOf(lease)
      return `signed by ${short(first)}`
    })

    let next = ''
    await step('the next license key is published before it signs', async () => {
      const rotated = await rotate(vendor, HOUR_SECONDS)
      next = rotated.kid
      must(rotated.status === 'pending', `it is ${rotated.status}, not pending`)
      must(kidOf((await exchange()).body.jwt) === first, 'a pending key has signed')
      must((await publishedKids(vendor)).includes(next), 'the JWK set does not have it')
      await customers.ask()
      return `${short(next)} pending, key set ${rotated.key_set}`
    })

    await step('it takes over, and leases of the old key refresh', async () => {
      clock.advance(HOUR_MS)
      must((await statusOf(vendor, first)) === 'retiring', 'the old key is not retiring')
      const refreshed = await refresh(vendor, lease)
      must(refreshed.status === 200, `a lease of the old key was answered ${refreshed.status}`)
      must(kidOf(refreshed.body.jwt) === next, 'the old key still signs')
      must((await publishedKids(vendor)).includes(first), 'the JWK set has lost the old key')
      await customers.ask()
      await followed(vendor, customers.all())
      return `${short(next)} active, ${short(first)} retiring`
    })

    await step('the old key retires, and no product notices', async () => {
      const { retired_at } = await keyOf(vendor, first)
      while (clock.now() < new Date(retired_at)) {
        clock.advance(12 * HOUR_MS)
        await customers.ask()
      }
      must((await statusOf(vendor, first)) === 'retired', 'the old key is not retired')
      const late = await refresh(vendor, lease)
      must(late.body.error === 'license_jwt_expired', `its lease was answered ${late.body.error}`)
      await followed(vendor, customers.all())
      return `${short(first)} retired; its leases have run out, its signatures are still known`
    })

    await step('the control key changes, and products obey the new one', async () => {
      const rotated = await rotate(vendor, 0, 'control')
      must(!(await publishedKids(vendor)).includes(rotated.kid), 'the JWK set has a control key')
      const kid = kidOf((await exchange()).body.directive, DIRECTIVE_TYP)
      must(kid === rotated.kid, 'the old key still signs directives')
      clock.advance(HOUR_MS)
      await customers.ask()
      await followed(vendor, customers.all())
      return `${short(kid)} active`
    })

    await step('the raw key changes on confirmation alone, and names what breaks', async () => {
      const asked = { product: PRODUCT, use: 'raw', activate_in: 0 }
      const bearer = keys.adminKey ?? ''
      const refused = await vendor.call('POST', '/api/v1/admin/signing-keys/rotate', { bearer, body: asked })
      must(refused.body.error === 'confirmation_required', `it was answered ${refused.status}`)
      must(refused.body.license_keys === 1, 'the license key that it breaks is not counted')
      const before = await rawKey(vendor)
      await vendor.admin('POST', '/signing-keys/rotate', { ...asked, confirm: true })
      must((await rawKey(vendor)) !== before, 'the public key is the former one')
      await customers.ask()
      return `names ${refused.body.breaks.join(', ')}`
    })

    await step('with the root key on another machine, a set signed there is followed', async () => {
      keys.rootIsHere = false
      await reopen()
      const rotated = await rotate(vendor, 0)
      must(rotated.key_set === null, 'a set was signed without the root key')
      const draft = (await vendor.admin('GET', '/key-sets/draft')) as KeySetClaims
      const jws = signJws(openRootKey(keys.root.privateKey), KEY_SET_TYP, draft)
      await vendor.admin('POST', '/key-sets', { jws })
      clock.advance(HOUR_MS)
      await customers.ask()
      await followed(vendor, customers.all())
      return `key set ${draft.number}`
    })

    await step('the master key changes, and the old one opens nothing', async () => {
      const old = keys.masterKey
      const fresh = newMasterKey()
      const ctx = {
        ...vendor.services,
        actor: { kind: 'system', id: 'drill' } as const,
        requestId: 'req_drill',
      }
      const { signingKeys, secrets } = await rotateMasterKey(ctx, fresh)
      const opens = await openVendor(scratch.url(), { ...keys, masterKey: old }, clock, log).then(
        async (opened) => {
          await opened.close()
          return true
        },
        () => false,
      )
      must(!opens, 'a server starts with the old master key')
      keys.masterKey = fresh
      await reopen()
      await customers.ask()
      return `${signingKeys} signing keys and ${secrets} other secrets sealed anew`
    })
  } finally {
    await customers.leave()
    await vendor.close()
  }
}

const rotate = ({ admin }: Vendor, activate_in: number, use: KeyUse = 'license') =>
  admin('POST', '/signing-keys/rotate', { product: PRODUCT, use, activate_in })

const newNonce = (): string => randomBytes(16).toString('base64url')

const refresh = ({ call }: Vendor, jwt: string): Promise<Answer> =>
  call('POST', '/api/v1/licenses/refresh', { bearer: jwt, body: { instance_id: 'plain', version: '1' } })

async function keyOf({ admin }: Vendor, kid: string) {
  const keys: { kid: string; status: string; retired_at: string }[] = await admin(
    'GET',
    '/signing-keys?limit=200',
  )
  const found = keys.find((key) => key.kid === kid)
  must(found !== undefined, `the key ${kid} is gone`)
  return found
}

const statusOf = async (vendor: Vendor, kid: string): Promise<string> => (await keyOf(vendor, kid)).status

async function publishedKids({ call }: Vendor): Promise<string[]> {
  const { body } = await call('GET', '/.well-known/jwks.json')
  return body.keys.map(({ kid }: { kid: string }) => kid)
}

const rawKey = async ({ call }: Vendor): Promise<string> =>
  (await call('GET', `/api/v1/signing-key?product=${PRODUCT}`)).body.public_key

/** @throws DrillError unless every SDK has the newest key set. */
async function followed(
  { services }: Vendor,
  licenses: readonly { diagnostics(): { keySetNumber: number | null } }[],
): Promise<void> {
  const { keySetNumber } = await services.keyring.reload()
  for (const license of licenses) {
    const has = license.diagnostics().keySetNumber
    must(has === keySetNumber, `an SDK has key set ${has}, and ${keySetNumber} is the newest`)
  }
}

function kidOf(token: string, typ: string = LICENSE_TYP): string {
  const read = readCompactJws(token, typ)
  must(read.ok && typeof read.header.kid === 'string', `there is no ${typ}`)
  return read.header.kid
}

const short = (kid: string): string => `${kid.slice(0, 8)}…`
