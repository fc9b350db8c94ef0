// The local API of the license cache (reference, section 3), for the site's own programs. Behind the internal API key.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Context, Hono, MiddlewareHandler } from 'hono'
import { type DevelopmentLicense, WATERMARK } from '../development.ts'
import { problem } from '../front/app.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { LicenseStanding, Standing } from './standing.ts'

export interface LocalContext {
  /** Null: nobody gets in. */
  internalKey: string | null
  /** Whether people come over https, as PUBLIC_URL says. */
  overTls: boolean
  standing(): Standing
  sync: SyncEngine
  /** The last fallback, marked as such; null where none is configured. */
  development: DevelopmentLicense | null
}

const DAY_MS = 86_400_000

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Whether this is the key; takes as long for any text. */
export function isInternalKey(internalKey: string | null, shown: string | null | undefined): boolean {
  const equal = timingSafeEqual(sha256(shown ?? ''), sha256(internalKey ?? ''))
  return equal && internalKey !== null && shown !== null && shown !== undefined
}

/** `x-internal-api-key`, or Bearer. */
export const internalOnly =
  (internalKey: string | null): MiddlewareHandler =>
  async (c, next) => {
    const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('Authorization') ?? '')?.[1]
    if (!isInternalKey(internalKey, c.req.header('x-internal-api-key') ?? bearer)) {
      return problem(c, 'unauthorized', 'This needs the internal API key of the relay.', {
        fix: 'Send x-internal-api-key with the value of SECRET_INTERNAL_API_KEY.',
      })
    }
    return next()
  }

export function mountLocalApi(app: Hono, { internalKey, standing, sync, development }: LocalContext): void {
  app.use('/api/licenses/*', internalOnly(internalKey))
  app.get('/api/licenses/current', (c) => c.json(current(c, standing(), development)))
  app.get('/api/licenses/sync-status', (c) => c.json(syncStatus(standing())))
  app.post('/api/licenses/manual-sync', async (c) => {
    const outcome = await sync.now()
    const status = syncStatus(standing())
    if (outcome.kind === 'done') return c.json({ success: true, ...status })
    const detail = `The sync did not end well: ${status.last_error ?? outcome.kind}.`
    return problem(c, 'vendor_unreachable', detail, { success: false, ...status })
  })
}

/** The license that counts, of the product asked for: in force before not, then the newest. */
function current(c: Context, standing: Standing, development: DevelopmentLicense | null) {
  const product = c.req.query('product')
  const asked = standing.licenses.filter((license) => product === undefined || license.product === product)
  const license = asked.find((one) => isInForce(one, standing.at))
  if (license) {
    return { licensed: true, license: shape(license, standing) }
  }
  if (development && standing.development === 'served') {
    return { licensed: true, license: marked(development, standing) }
  }
  return {
    licensed: false,
    message: whyNot(asked[0], standing),
    server_fingerprint: standing.fingerprint,
  }
}

/** By the vendor's list and by this clock: what was in force then may be over now. */
const isInForce = (license: LicenseStanding, at: number): boolean => {
  if (license.foreignMachine || (license.status !== 'active' && license.status !== 'in_grace')) return false
  return license.expires_at === null || at <= Date.parse(license.expires_at) + license.grace_days * DAY_MS
}

function whyNot(license: LicenseStanding | undefined, standing: Standing): string {
  if (!license) {
    return standing.syncedAt === 0
      ? 'No license has been synced yet.'
      : 'The vendor knows no license for this site.'
  }
  if (license.foreignMachine) return 'The license is bound to another machine.'
  return isOver(license, standing.at) ? 'The license has expired.' : `The license is ${license.status}.`
}

const isOver = ({ expires_at }: LicenseStanding, at: number): boolean =>
  expires_at !== null && at > Date.parse(expires_at)

function shape(license: LicenseStanding, { fingerprint }: Standing) {
  return {
    id: license.license_id,
    organization_name: license.organization_name,
    license_type: { name: license.tier, features: license.features },
    product: license.product,
    status: license.status,
    max_users: license.limits.max_users ?? null,
    limits: license.limits,
    issued_at: license.issued_at,
    expires_at: license.expires_at,
    server_fingerprint: fingerprint,
    sync_status: license.state,
    last_sync: new Date(license.syncedAt).toISOString(),
  }
}

function marked({ tier, features, limits }: DevelopmentLicense, { fingerprint }: Standing) {
  return {
    id: 'development',
    development: true,
    organization_name: WATERMARK,
    watermark: WATERMARK,
    license_type: { name: tier, features },
    status: 'development',
    max_users: limits.max_users ?? null,
    limits,
    issued_at: null,
    expires_at: null,
    server_fingerprint: fingerprint,
    sync_status: 'failed',
    last_sync: null,
  }
}

function syncStatus({ sync, syncedAt, licenses, upstream, queue, development }: Standing) {
  const at = (ms: number | null) => (ms === null || ms === 0 ? null : new Date(ms).toISOString())
  return {
    sync_status: sync.running ? 'syncing' : sync.lastError === null ? 'ok' : 'failing',
    last_sync: at(syncedAt),
    last_attempt: at(sync.lastAttempt),
    last_error: sync.lastError,
    succeeded: sync.succeeded,
    failed: sync.failed,
    upstream: upstream.away === null ? 'unknown' : upstream.away ? 'away' : 'reachable',
    live: upstream.live,
    ...(development === 'off' ? {} : { development_license: development }),
    licenses: licenses.map(({ license_id, product, state, status }) => ({
      license_id,
      product,
      state,
      status,
    })),
    queue: { length: queue.length, bytes: queue.bytes, dropped: queue.dropped, oldest: at(queue.oldestAt) },
  }
}
