// The real server as a process of its own, as `npm start` runs it, on the bench's database.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SETTING_NAMES } from '../../../src/config/schema.ts'
import { freePort, type Program, startProgram } from './program.ts'

export interface ServerSettings {
  databaseUrl: string
  /** Where its data folder and log go. */
  folder: string
}

/** Keys that all servers of one database share. */
const KEYS = {
  LEASEHOLD_MASTER_KEY: randomBytes(32).toString('base64'),
  LEASEHOLD_ROOT_KEY: generateKeyPairSync('ed25519')
    .privateKey.export({ format: 'der', type: 'pkcs8' })
    .toString('base64'),
}

/** Limits that one machine's load would meet, but no fleet of customers. They stay on: everybody pays for them. */
const LIMITS = { LEASEHOLD_RATE_LIMITS: '1000000/min', LEASEHOLD_CREDENTIAL_RATE_LIMIT: '1000000/min' }

/** One process, since every anchor is one too. */
const ONE_PROCESS = { LEASEHOLD_PROCESSES: '1' }

/** What every server of the bench is set to. The demo catalog comes with an admin key in a file. */
export function serverEnvironment({ databaseUrl, folder }: ServerSettings): Record<string, string> {
  const known: readonly string[] = SETTING_NAMES
  const wanted = { ...LIMITS, ...ONE_PROCESS, ...KEYS }
  return {
    ...Object.fromEntries(Object.entries(wanted).filter(([name]) => known.includes(name))),
    DATABASE_URL: databaseUrl,
    LEASEHOLD_DATA_DIR: join(folder, 'data'),
    LEASEHOLD_DEMO: 'true',
    LEASEHOLD_SHUTDOWN_GRACE: '0s',
    LEASEHOLD_ISSUER: 'https://license.example.com',
  }
}

/** What `npm start` runs. */
const PROGRAM = resolve(import.meta.dirname, '../../../scripts/start.mjs')

/** Starts the server in a folder of its own below `folder`, and waits until it is ready. */
export async function startServer(
  name: string,
  settings: ServerSettings,
): Promise<Program & { dataDir: string }> {
  const folder = join(settings.folder, name)
  await mkdir(folder, { recursive: true })
  const env = serverEnvironment({ ...settings, folder })
  const port = await freePort()
  const started = await startProgram({
    name,
    path: PROGRAM,
    port,
    readyPath: '/readyz',
    folder,
    env: { ...env, PORT: String(port) },
  })
  return { ...started, dataDir: env.LEASEHOLD_DATA_DIR ?? folder }
}
