// A vendor, a customer's site and the way between them, in real processes: Postgres, server, fault proxy, relay, and 50
// instances of the SDK in five processes. Owns how they start and what they tell; the scenarios lie in the tests.
import { execFileSync } from 'node:child_process'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundle } from '../../scripts/bundle.ts'
import { type Postmaster, startPostmaster } from '../../src/db/embedded/postmaster.ts'
import { startEmbeddedPostgres } from '../../src/db/embedded/start.ts'
import { type Answer, caller, ISSUER } from './app.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { spawned } from './leasehold-cli.ts'
import { credentialsIn, type LeaseholdProcess, until, workplace } from './leasehold-process.ts'
import { outsideDatabase } from './outside-database.ts'
import { query } from './query.ts'
import { type RelayProcess, relayProcess } from './relay-process.ts'
import { silentLog } from './silent-log.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { createWorld, PRO_FEATURES, type World } from './world.ts'

export const PROCESSES = 5
const INSTANCES_EACH = 10
/** Of each instance, on average. */
const ASKS_EVERY_MS = 1000
export const TOKEN_LIFE_SECONDS = 6
const YEAR_MS = 365 * 86_400_000
/** Milliseconds: `synced`, then `stale`, then `failed`. */
export const FRESH = { cacheTtl: 3000, staleGrace: 1800 }

export interface FaultSite {
  server: LeaseholdProcess
  proxy: FaultProxy
  relay: RelayProcess
  fleet: Fleet
  /** Four processes run under the first license, one under the second. */
  world: World
  other: World
  admin(method: string, path: string, body?: unknown): Promise<Answer>
  /** A tmpfs of 24 MiB, which can be filled; null where this machine mounts none. */
  smallDisk: string | null
  database: { stop(): Promise<void>; start(): Promise<void> }
  /** Acknowledged reports against the vendor's table, once the relay's queue is empty. */
  audit(): Promise<Audit>
  /** Resolves once nothing stands between vendor and relay and every license is synced. */
  whole(): Promise<void>
  /** Milliseconds from `since` (of `performance.now()`) until the channel is open and a sync has succeeded. */
  back(since: number): Promise<number>
  stop(): Promise<void>
}

export interface Audit {
  /** Since the audit before; the rest counts all of them. */
  acknowledged: number
  lost: number
  doubled: number
  /** Those whose own time is not what was sent. */
  misdated: number
}

export async function startFaultSite(): Promise<FaultSite> {
  const folder = await temporaryFolder('leasehold-test-faults-')
  const place = workplace()
  const undo: (() => Promise<unknown> | unknown)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async () => {
    for (const one of undo.splice(0).reverse()) await one()
  }
  try {
    const embedded = await startEmbeddedPostgres({
      dataDir: join(folder, 'data'),
      log: silentLog,
      durable: false,
    })
    undo.push(() => embedded.stop())
    const database = restartable(embedded)
    undo.push(() => database.end())
    const dataDir = await place.dataDir()
    undo.push(() => place.clear())
    const [{ program: relayProgram }, { program: fleetProgram }] = await Promise.all([
      bundle('test/support/relay-program.ts', folder),
      bundle('test/support/fleet-process.ts', folder),
    ])
    const smallDisk = mountSmall(join(folder, 'disk'))
    if (smallDisk) undo.push(() => execFileSync('umount', ['-l', smallDisk]))
    const relayDir = join(smallDisk ?? folder, 'relay')

    const relay = await relayProcess(relayProgram, {
      LEASEHOLD_RELAY_DIR: relayDir,
      LICENSE_CACHE_TTL: String(FRESH.cacheTtl),
      STALE_GRACE_PERIOD: String(FRESH.staleGrace),
      BACKGROUND_SYNC_INTERVAL: '2500',
      SYNC_TIMEOUT: '2000',
      SYNC_RETRY_DELAY: '100',
      CLEANUP_INTERVAL: '300',
      FAILED_CACHE_MAX_AGE: '1000',
      LOG_LEVEL: 'info',
      NODE_COMPILE_CACHE: join(folder, 'compiled'),
    })
    const server = await place.start({
      dataDir,
      env: {
        ...outsideDatabase(embedded.url),
        LEASEHOLD_DEMO: 'true',
        LEASEHOLD_ISSUER: ISSUER,
        // Where instances reach it: through the relay.
        PUBLIC_URL: relay.url,
        LEASEHOLD_TOKEN_LIFE: `${TOKEN_LIFE_SECONDS}s`,
        LEASEHOLD_RATE_LIMITS: 'off',
        LEASEHOLD_CREDENTIAL_RATE_LIMIT: 'off',
        LOG_LEVEL: 'error',
      },
    })
    const { admin_key, root_public_key } = await credentialsIn(dataDir)
    const admin: FaultSite['admin'] = (method, path, body) =>
      caller(server.url)(method, `/api/v1/admin${path}`, { bearer: admin_key, body })
    const expires_at = new Date(Date.now() + YEAR_MS).toISOString()
    const world = await createWorld(
      { admin },
      { product: 'plant', instanceAuth: 'token', license: { seat_limit: 100, expires_at } },
    )
    const other = await world.another({ seat_limit: 100, expires_at })

    const proxy = await startFaultProxy(server.port)
    undo.push(() => proxy.stop())
    const made = await admin('POST', '/relays', { customer_id: world.customerId, name: 'Plant 2' })
    await mkdir(relayDir, { recursive: true, mode: 0o700 })
    const enrolled = await spawned(
      [
        'relay',
        'enroll',
        '--upstream',
        proxy.url,
        '--code',
        made.body.enrolment_code,
        '--root',
        root_public_key,
      ],
      '',
      { PATH: process.env.PATH, LEASEHOLD_RELAY_DIR: relayDir, LEASEHOLD_ISSUER: ISSUER },
    )
    if (enrolled.code !== 0) throw new Error(`enroll: ${enrolled.err}`)
    relay.launch()
    undo.push(() => relay.stop('SIGKILL'))
    await relay.ready()
    await until(async () => (await relay.status())?.licenses.length === 2, 40_000).catch(async () => {
      throw new Error(`no sync: ${JSON.stringify(await relay.status())} ${relay.log()}`)
    })

    const fleet = await startFleet(
      fleetProgram,
      Array.from({ length: PROCESSES }, (_, p) => ({
        product: 'plant',
        serverUrl: relay.url,
        trust: { issuer: ISSUER, roots: [root_public_key] },
        apiKey: (p === PROCESSES - 1 ? other : world).apiKey,
        instanceIds: Array.from({ length: INSTANCES_EACH }, (_, i) => `p${p}-${i}`),
        features: [...PRO_FEATURES, 'sso_sync'],
        everyMs: ASKS_EVERY_MS,
      })),
    )
    undo.push(() => fleet.stop())
    // On a crowded machine a start may run into its timeout; the next question brings the license.
    await until(async () => (await fleet.held()).every(({ features }) => features.length > 0), 30_000)
    const site = { server, proxy, relay, fleet, world, other, admin, smallDisk, database, stop }
    let before = 0
    return {
      ...site,
      async audit() {
        const all = await audit(site, embedded.url)
        const acknowledged = all.acknowledged - before
        before = all.acknowledged
        return { ...all, acknowledged }
      },
      whole: () => whole(site),
      back: (since) => back(site, since),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

type Started = Pick<FaultSite, 'relay' | 'proxy' | 'fleet'>

async function whole({ relay, proxy }: Started): Promise<void> {
  await proxy.set({ kind: 'none' })
  await until(async () => {
    const status = await relay.status()
    const states: string[] = (status?.licenses ?? []).map(({ state }: { state: string }) => state)
    return status?.live === true && states.length > 0 && states.every((state) => state === 'synced')
  }, 30_000)
}

async function back({ relay, proxy }: Started, since: number): Promise<number> {
  const at = Date.now() - (performance.now() - since)
  await until(async () => {
    const status = await relay.status()
    const synced = status?.sync_status !== 'failing' && Date.parse(status?.last_sync) >= at
    return status?.live === true && synced && proxy.channels() > 0
  }, 40_000).catch(async (error: unknown) => {
    throw new Error(`the channel is not back: ${JSON.stringify(await relay.status())}\n${relay.log()}`, {
      cause: error,
    })
  })
  return Math.round(performance.now() - since)
}

async function audit({ relay, fleet }: Started, url: string): Promise<Audit> {
  const acknowledged = await fleet.acknowledged()
  await until(async () => (await relay.status())?.queue.length === 0, 40_000)
  const rows = await query(
    url,
    `select boot_id, seq::int, count(*)::int as times, min(observed_at) as at
     from reports where boot_id is not null group by boot_id, seq`,
  )
  const stored = new Map(rows.map((row) => [`${row.boot_id} ${row.seq}`, row]))
  const of = acknowledged.map((report) => ({ report, row: stored.get(`${report.boot_id} ${report.seq}`) }))
  return {
    acknowledged: new Set(acknowledged.map(({ boot_id, seq }) => `${boot_id} ${seq}`)).size,
    lost: of.filter(({ row }) => row === undefined).length,
    doubled: rows.filter(({ times }) => Number(times) > 1).length,
    misdated: of.filter(({ report, row }) => row && !isSame(row.at, report.observed_at)).length,
  }
}

/** The server never lets a time lie in its future, by as much as the two clocks differ. */
const isSame = (stored: unknown, sent: string): boolean =>
  Math.abs((stored as Date).getTime() - Date.parse(sent)) < 1000

type Embedded = Awaited<ReturnType<typeof startEmbeddedPostgres>>

/** A database that comes back on its port. */
function restartable(embedded: Embedded) {
  const { data, binaries, port } = embedded.location
  let owner: { uid: number; gid: number } | undefined
  let again: Postmaster | undefined
  return {
    async stop() {
      const { uid, gid } = await stat(data)
      owner = uid === process.getuid?.() ? undefined : { uid, gid }
      await (again ?? embedded).stop()
    },
    async start() {
      const postgres = join(binaries, 'bin/postgres')
      again = await startPostmaster({
        postgres,
        cluster: data,
        port,
        account: owner,
        log: silentLog,
        durable: false,
      })
    },
    async end() {
      await again?.stop()
    },
  }
}

/** Root on an ordinary machine may; in most containers nobody may. */
function mountSmall(folder: string): string | null {
  try {
    execFileSync('mkdir', ['-p', folder])
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=0711', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    return null
  }
}

export const pause = (ms: number): Promise<void> => sleep(ms)
