// What one request, or one run of the cron, works with: connections of its own, and the secrets that the isolate opened.
import journal from '../../drizzle/meta/_journal.json' with { type: 'json' }
import { connectDatabase, connectProbe, type DatabaseConnection } from '../db/client.ts'
import { isDatabaseUnavailable } from '../db/errors.ts'
import { databaseWatchdog, type Watchdog } from '../db/watchdog.ts'
import type { Services } from '../domain/kernel/context.ts'
import { guardKeyring, guardRootKey } from '../domain/signing/clock-guard.ts'
import { keyringCache } from '../domain/signing/keyring.ts'
import { measureSkew } from '../domain/signing/measure-skew.ts'
import { openPepper } from '../domain/signing/server-secrets.ts'
import type { Readiness } from '../http/environment.ts'
import { openRootKey } from '../mint/keys.ts'
import { systemClock } from '../platform/clock.ts'
import { randomBytes } from '../platform/random.ts'
import { domainSettings } from '../server/open-services.ts'
import { checkReadiness } from '../server/readiness.ts'
import type { Isolate } from './isolate.ts'

/** As often as a server on Node measures its clock. */
const CLOCK_MS = 30_000
/** A probe has to connect first: each request has connections of its own. */
const PROBE_TIMEOUT_MS = 2_000
const NOT_OPENED = new Uint8Array()

export interface OpenRequest {
  readonly isolate: Isolate
  readonly services: Services
  readonly connection: DatabaseConnection
  readonly watchdog: Watchdog
  /** Ends the connections once their statements have. */
  close(): Promise<void>
}

/** Goes nowhere yet: connections are made by the first statement. Verbs need `openSecrets` first. */
export function openRequest(isolate: Isolate): OpenRequest {
  const { settings, guard, log } = isolate
  const { databaseUrl, masterKey } = settings
  const connection = connectDatabase(databaseUrl, { poolSize: 1, prepare: false })
  const watchdog = databaseWatchdog(connectProbe(databaseUrl, { prepare: false }), PROBE_TIMEOUT_MS)
  const { db } = connection
  return {
    isolate,
    connection,
    watchdog,
    services: {
      db,
      clock: systemClock,
      random: randomBytes,
      log,
      settings: domainSettings(settings),
      keyring: guardKeyring(keyringCache(db, masterKey, systemClock, isolate.keyring), guard),
      reference: isolate.reference,
      masterKey,
      rootKey: isolate.root && guardRootKey(isolate.root, guard),
      rootPublicKeyHex: settings.rootKey.publicKey,
      pepper: isolate.pepper ?? NOT_OPENED,
      newcomers: isolate.newcomers,
    },
    async close() {
      await Promise.all([connection.close(), watchdog.close()])
    },
  }
}

/**
 * Opens what the isolate does not have yet, measures the clock when that is due, and hands back the services that
 * verbs may use. Requests that do so at the same time share nothing but what is done.
 * @throws StartError when the master key does not open what is stored.
 */
export async function openSecrets({ isolate, services, watchdog }: OpenRequest): Promise<Services> {
  const { settings, guard } = isolate
  const { db, clock, keyring } = services
  const now = clock.monotonic()
  await watchdog.guard(
    (async () => {
      isolate.pepper ??= await openPepper(db, settings.masterKey, randomBytes, clock.now())
      if (settings.rootKey.kind === 'private') isolate.root ??= openRootKey(settings.rootKey.pkcs8)
      await keyring.current()
      if (isolate.measuredAt === null || now - isolate.measuredAt >= CLOCK_MS) {
        guard.measured(await measureSkew(db, clock))
        isolate.measuredAt = now
      }
    })(),
  )
  const { pepper, root } = isolate
  return { ...services, pepper: pepper ?? NOT_OPENED, rootKey: root && guardRootKey(root, guard) }
}

/** What Node looks at, and whether the master key opens what is stored: no start has proven that here. */
export async function readinessOf(request: OpenRequest): Promise<Readiness> {
  const { isolate, services, watchdog } = request
  const shipped = journal.entries.length
  const seen = await checkReadiness({
    services,
    watchdog,
    guard: isolate.guard,
    isStopping: () => false,
    shipped,
  })
  if (!seen.ready) return seen
  const keys = await openSecrets(request).then(
    () => ({ ok: true }),
    (error: unknown) => {
      if (!isDatabaseUnavailable(error)) isolate.log.error({ err: error }, 'the secrets do not open')
      return { ok: false, detail: 'do not open; the log says why' }
    },
  )
  return { ready: keys.ok, checks: { ...seen.checks, keys } }
}
