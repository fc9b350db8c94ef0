// The doctor's round: the order of the checks, and what is not looked at because of what was found before. Reads only,
// and ends with findings whatever fails. Where no server runs, the embedded database is started for the look.
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readMasterKey } from '../../config/master-key.ts'
import { type RootKey, readRootKey } from '../../config/root-key.ts'
import { loadRootKey } from '../../config/root-key-file.ts'
import { type Environment, loadSettings, type Settings } from '../../config/settings.ts'
import { connectDatabase, connectProbe, type Database } from '../../db/client.ts'
import { knownHome } from '../../db/embedded/location.ts'
import { runningCluster } from '../../db/embedded/running.ts'
import { databaseWatchdog } from '../../db/watchdog.ts'
import { systemClock } from '../../platform/clock.ts'
import { StartError } from '../../platform/start-error.ts'
import { unusableDatabase } from '../../server/open-postgres.ts'
import { connectionsOf, processCount } from '../../server/shares.ts'
import { type EmbeddedDatabase, openEmbedded } from '../embedded-database.ts'
import { explain } from '../explain.ts'
import { examineFolder } from './data-folder.ts'
import { examineClock, examineMigrations, examineServer } from './database.ts'
import { type Finding, ok, problem, unknown, warning } from './finding.ts'
import { examineKeySet } from './key-set.ts'
import { examineMasterKey, examineOwner, examineSigningKeys } from './keys.ts'
import { examineJobs, examinePartitions, examineRetention } from './upkeep.ts'

const IN_THE_SCHEMA = ['master key', 'signing keys', 'key set', 'owner', 'partitions', 'jobs', 'retention']
const IN_THE_DATABASE = ['migrations', 'clocks', ...IN_THE_SCHEMA]

/** Everything that can be said of this server. Never rejects. */
export async function examine(env: Environment): Promise<Finding[]> {
  let settings: Settings
  try {
    settings = loadSettings(env)
  } catch (error) {
    return [
      troubled('settings', error),
      ...notKnown(['database', ...IN_THE_DATABASE], 'the settings are right'),
    ]
  }
  const dataDir = resolve(settings.dataDir)
  const embedded = settings.databaseUrl === null
  const findings = [ok('settings', embedded ? `Complete; the database is embedded.` : 'Complete.')]
  if (embedded || settings.demo) {
    findings.push(...(await attempt('data folder', () => examineFolder(dataDir))))
  }
  const isSound = findings.every(({ health }) => health !== 'problem')
  const database = await attempt('database', () =>
    settings.databaseUrl === null
      ? examineEmbedded(settings, dataDir, isSound)
      : examineDatabase(settings, dataDir, settings.databaseUrl),
  )
  return [...findings, ...database]
}

async function examineEmbedded(settings: Settings, dataDir: string, isSound: boolean): Promise<Finding[]> {
  if ((await runningCluster(dataDir)) === null) {
    const why = await whyNotStarted(dataDir, isSound)
    if (why !== null) {
      const fix = 'Start the server (npm start), and ask again.'
      return [warning('database', why, fix), ...notKnown(IN_THE_DATABASE, 'the database runs')]
    }
  }
  let database: EmbeddedDatabase
  try {
    database = await openEmbedded(dataDir)
  } catch (error) {
    return [troubled('database', error), ...notKnown(IN_THE_DATABASE, 'the database runs')]
  }
  try {
    const { url, isStarted } = database
    const findings = await examineDatabase(settings, dataDir, url, isStarted)
    return isStarted ? findings.map(startedForThis) : findings
  } finally {
    await database.close()
  }
}

/** A start would change something in a folder that lacks something; null where it does not. */
async function whyNotStarted(dataDir: string, isSound: boolean): Promise<string | null> {
  if (!(await knownHome(dataDir))) return 'No server runs, and none has made its database yet.'
  if (!isSound) return 'No server runs, and the database is not started in a data folder with problems.'
  const password = await readFile(join(dataDir, 'postgres-password'), 'utf8').catch(() => '')
  return password.trim() === ''
    ? 'No server runs, and postgres-password is gone: the next start makes one.'
    : null
}

function startedForThis(finding: Finding): Finding {
  if (finding.check !== 'database') return finding
  return { ...finding, detail: `${finding.detail} No server runs: it was started for this look alone.` }
}

async function examineDatabase(
  settings: Settings,
  dataDir: string,
  url: string,
  isStopped = false,
): Promise<Finding[]> {
  const connection = connectDatabase(url, { poolSize: 2 })
  const watchdog = databaseWatchdog(connectProbe(url))
  try {
    return await lookInside(connection.db, watchdog.guard, settings, dataDir, isStopped)
  } catch (error) {
    const { message, fix } = unusableDatabase(error, new URL(url).host)
    return [problem('database', message, fix), ...notKnown(IN_THE_DATABASE, 'the database answers')]
  } finally {
    await Promise.all([watchdog.close(), connection.client.end({ timeout: 1 })])
  }
}

type Guard = <T>(work: Promise<T>) => Promise<T>

/** @throws what the database throws when it does not answer at all. */
async function lookInside(
  db: Database,
  guard: Guard,
  settings: Settings,
  dataDir: string,
  isStopped: boolean,
): Promise<Finding[]> {
  const server = await guard(
    examineServer(db, { processes: processCount(settings), connections: connectionsOf(settings) }),
  )
  if (server.some(({ health }) => health === 'problem')) {
    return [...server, ...notKnown(IN_THE_DATABASE, 'PostgreSQL is new enough')]
  }
  const migrations = await attempt('migrations', () => guard(examineMigrations(db)))
  const outside = [...server, ...migrations, ...(await attempt('clocks', () => guard(examineClock(db))))]
  if (migrations.some(({ health }) => health !== 'ok')) {
    return [...outside, ...notKnown(IN_THE_SCHEMA, 'the migrations are applied')]
  }
  const now = systemClock.now()
  const checks: [name: string, look: () => Promise<Finding | Finding[]>][] = [
    ['master key', async () => examineMasterKey(db, await masterKeyOf(settings, dataDir))],
    ['signing keys', () => examineSigningKeys(db, now)],
    ['key set', async () => examineKeySet(db, await rootKeyOf(settings, dataDir), issuerOf(settings), now)],
    ['owner', () => examineOwner(db, now)],
    ['partitions', () => examinePartitions(db, now, isStopped)],
    ['jobs', () => examineJobs(db, settings, now)],
    ['retention', () => examineRetention(db, settings, now)],
  ]
  const inside: Finding[] = []
  for (const [name, look] of checks) inside.push(...(await attempt(name, () => guard(look()))))
  return [...outside, ...inside]
}

/** With the embedded database and without a setting, the server goes by the issuer of its first start. */
const issuerOf = ({ databaseUrl, issuerGiven, issuer }: Settings): string | null =>
  databaseUrl === null && !issuerGiven ? null : issuer

/** Read as it lies there: the server's own reader would correct its mode. @throws StartError */
async function masterKeyOf({ masterKey }: Settings, dataDir: string): Promise<Uint8Array> {
  if (masterKey !== null) return masterKey
  const file = join(dataDir, 'master-key')
  const key = readMasterKey((await secretText(file, 'LEASEHOLD_MASTER_KEY')).trim())
  if ('value' in key) return key.value
  throw new StartError(
    `${file} ${key.wrong}.`,
    'Restore the file from a backup, or set LEASEHOLD_MASTER_KEY.',
  )
}

/** @throws StartError */
async function rootKeyOf({ rootKey }: Settings, dataDir: string): Promise<RootKey> {
  if (rootKey !== null) return loadRootKey(rootKey)
  const file = join(dataDir, 'root-key.pem')
  const key = readRootKey((await secretText(file, 'LEASEHOLD_ROOT_KEY')).trim())
  if ('value' in key) return loadRootKey(key.value)
  throw new StartError(`${file} ${key.wrong}.`, 'Restore the file from a backup, or set LEASEHOLD_ROOT_KEY.')
}

function secretText(file: string, setting: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new StartError(
      `${file} cannot be read (${error.code ?? 'unknown reason'}).`,
      `Restore the file from a backup, or set ${setting} to what it held.`,
    )
  })
}

async function attempt(check: string, look: () => Promise<Finding | Finding[]>): Promise<Finding[]> {
  try {
    return [await look()].flat()
  } catch (error) {
    return [troubled(check, error)]
  }
}

function troubled(check: string, error: unknown): Finding {
  const [detail = '', fix = 'The log of the server may say more.'] = explain(error)
  return problem(check, detail, fix)
}

const notKnown = (checks: readonly string[], until: string): Finding[] =>
  checks.map((check) => unknown(check, `Not known until ${until}.`))
