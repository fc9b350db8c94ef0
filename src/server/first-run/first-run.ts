// The first start: demo catalog, owner key and credentials.json, in one transaction, so that a crash leaves all or
// nothing. Later starts find them made; only a lost file makes new credentials.
import { and, eq, gt, isNull, or, sql } from 'drizzle-orm'
import type { Database, Transaction } from '../../db/client.ts'
import { adminKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { createAdminKey } from '../../domain/admin-keys/create-admin-key.ts'
import { revokeAdminKey } from '../../domain/admin-keys/revoke-admin-key.ts'
import type { Ctx, Services } from '../../domain/kernel/context.ts'
import { hashCredential } from '../../domain/kernel/credential-hash.ts'
import { referenceCache } from '../../domain/reference/reference-cache.ts'
import { keyringCache } from '../../domain/signing/keyring.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { type Credentials, readCredentials, writeCredentials } from './credentials-file.ts'
import { FIRST_RUN_NAME } from './demo-catalog.ts'
import {
  type DemoKeys,
  findDemoLicense,
  hasDemoProduct,
  issueDemoKeys,
  makeDemoCatalog,
} from './demo-keys.ts'

const FIRST_RUN_LOCK = 5_027_040
const NO_KEYS: DemoKeys = { product: null, license_key: null, api_key: null }

export interface FirstRunOptions {
  dataDir: string
  /** Whether the demo catalog is wanted. */
  demo: boolean
  /** With the embedded database nobody is left without an admin key. */
  embedded: boolean
}

/**
 * `made`: the catalog, the keys and the file. `renewed`: only new credentials, because the file was lost; the old ones
 * are revoked. `kept`: everything was there. `none`: nothing is wanted here.
 */
export type FirstRun = 'made' | 'renewed' | 'kept' | 'none'

export async function firstRun(services: Services, options: FirstRunOptions): Promise<FirstRun> {
  const { dataDir, demo, embedded } = options
  if (!embedded && !demo) return 'none'
  const stored = await readCredentials(dataDir)
  const valid = stored !== null && (await isOurs(services, stored)) ? stored : null
  if (valid && (valid.product !== null || !demo)) {
    await keepCurrent(dataDir, valid, services)
    return 'kept'
  }
  const outcome = await transaction(services.db, (tx) => prepare(contextIn(tx, services), options, valid))
  if (outcome === 'made' || outcome === 'renewed') await services.keyring.reload()
  return outcome
}

async function prepare(ctx: Ctx, { dataDir, demo, embedded }: FirstRunOptions, valid: Credentials | null) {
  await ctx.db.execute(sql`select pg_advisory_xact_lock(${FIRST_RUN_LOCK})`)
  const there = demo && (await hasDemoProduct(ctx))
  if (!embedded && there) {
    ctx.log.info({}, 'the demo catalog is there; `leasehold admin-keys create` makes an admin key')
    return 'none'
  }
  if (!demo && (await hasOwner(ctx))) return 'none'
  const license = !demo ? null : there ? await findDemoLicense(ctx) : await makeDemoCatalog(ctx)
  if (license === null && valid) return 'kept'
  const keys = license === null ? NO_KEYS : await issueDemoKeys(ctx, license)
  const admin_key = valid?.admin_key ?? (await newOwnerKey(ctx))
  // Before the commit: a crash in between leaves a file that the next start knows to be void, never keys without a file.
  await writeCredentials(dataDir, { admin_key, ...keys, ...trust(ctx) })
  return there ? 'renewed' : 'made'
}

/** Verbs open transactions of their own: inside this one they become savepoints, and keys are read within it too. */
function contextIn(tx: Transaction, services: Services): Ctx {
  const db = tx as unknown as Database
  const requestId = publicId('req', uuidv7(services.clock.now(), services.random))
  return {
    ...services,
    db,
    keyring: keyringCache(db, services.masterKey, services.clock),
    reference: referenceCache(services),
    log: services.log.child({ request_id: requestId }),
    actor: { kind: 'system', id: 'first-run' },
    requestId,
  }
}

/** Whether the file belongs to this database. A key that was revoked on purpose still does, and is not replaced. */
async function isOurs(services: Services, { admin_key }: Credentials): Promise<boolean> {
  const hash = hashCredential(services, 'admin_key', admin_key)
  const found = await services.db.select({ id: adminKeys.id }).from(adminKeys).where(eq(adminKeys.hash, hash))
  return found.length > 0
}

async function hasOwner({ db, clock }: Ctx): Promise<boolean> {
  const usable = or(isNull(adminKeys.expiresAt), gt(adminKeys.expiresAt, clock.now()))
  const found = await db
    .select({ id: adminKeys.id })
    .from(adminKeys)
    .where(and(eq(adminKeys.role, 'owner'), isNull(adminKeys.revokedAt), usable))
    .limit(1)
  return found.length > 0
}

/** Made before the lost one is revoked: the last owner key cannot be. */
async function newOwnerKey(ctx: Ctx): Promise<string> {
  const earlier = await ctx.db
    .select({ id: adminKeys.id })
    .from(adminKeys)
    .where(and(eq(adminKeys.name, FIRST_RUN_NAME), eq(adminKeys.role, 'owner'), isNull(adminKeys.revokedAt)))
  const { secret } = await createAdminKey(ctx, { name: FIRST_RUN_NAME, role: 'owner', expires_at: null })
  for (const { id } of earlier) await revokeAdminKey(ctx, publicId('adm', id))
  return secret
}

/** Issuer and root may be changed by the settings; the file says what holds. */
async function keepCurrent(dataDir: string, stored: Credentials, services: Services): Promise<void> {
  const current = { ...stored, ...trust(services) }
  if (JSON.stringify(current) !== JSON.stringify(stored)) await writeCredentials(dataDir, current)
}

const trust = (services: Services) => ({
  issuer: services.settings.issuer,
  root_public_key: services.rootPublicKeyHex,
})
