// The settings of a Worker: its variables and secrets under the schema that Node has, and the database of Hyperdrive.
import type { Given } from './read-environment.ts'
import type { RootKey } from './root-key.ts'
import type { SettingName } from './schema.ts'
import { type Environment, loadSettings, type Settings } from './settings.ts'

/** What the runtime hands to the Worker: texts, and objects such as the Hyperdrive binding. */
export type Bindings = Readonly<Record<string, unknown>>

export interface WorkerSettings extends Settings {
  readonly databaseUrl: string
  readonly masterKey: Uint8Array
  readonly rootKey: RootKey
}

/** Stands for the database while the binding is missing, so that all else that is missing is named too. */
const NO_DATABASE = 'postgres://missing.invalid/leasehold'

/** @throws StartError with a line for each problem; no line repeats a secret. */
export function loadWorkerSettings(bindings: Bindings): WorkerSettings {
  const connection = connectionOf(bindings)
  const env: Environment = { ...textsOf(bindings), DATABASE_URL: connection ?? NO_DATABASE }
  const settings = loadSettings(env, (given) => [...missing(connection, given), ...useless(given)])
  const { databaseUrl, masterKey, rootKey } = settings
  if (databaseUrl === null || masterKey === null || rootKey === null || rootKey.kind === 'file') {
    throw new TypeError('settings that were accepted are incomplete')
  }
  return { ...settings, databaseUrl, masterKey, rootKey }
}

function connectionOf({ HYPERDRIVE: bound }: Bindings): string | null {
  if (typeof bound !== 'object' || bound === null || !('connectionString' in bound)) return null
  return typeof bound.connectionString === 'string' ? bound.connectionString : null
}

function textsOf(bindings: Bindings): Environment {
  const texts = Object.entries(bindings).filter(([, value]) => typeof value === 'string')
  return Object.fromEntries(texts) as Environment
}

function missing(connection: string | null, given: Given<SettingName>): string[] {
  const problems: string[] = []
  if (connection === null) {
    problems.push('HYPERDRIVE: is no Hyperdrive binding; add [[hyperdrive]] to wrangler.toml')
  }
  if (given.PUBLIC_URL === undefined) {
    problems.push('PUBLIC_URL: is missing, and a Worker does not know its own address')
  }
  return problems
}

/** What Node understands and a Worker cannot do must not be taken in silence. */
function useless(given: Given<SettingName>): string[] {
  const problems: string[] = []
  if (given.LEASEHOLD_ROOT_KEY?.startsWith('file:')) {
    problems.push(
      'LEASEHOLD_ROOT_KEY: names a file, and a Worker has no disk; give the key itself, or public:',
    )
  }
  if (given.LEASEHOLD_DEMO === 'true') problems.push('LEASEHOLD_DEMO: is true, and a Worker seeds nothing')
  if (given.LEASEHOLD_TRUSTED_PROXIES !== undefined) {
    problems.push(
      'LEASEHOLD_TRUSTED_PROXIES: is set, and a Worker believes CF-Connecting-IP alone; remove it',
    )
  }
  return problems
}
