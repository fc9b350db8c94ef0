// The data folder of a command that is for the embedded database alone.
import { resolve } from 'node:path'
import { type Environment, loadSettings } from '../config/settings.ts'
import { StartError } from '../platform/start-error.ts'

/** Full path. @throws StartError with `otherwise` as what to do where DATABASE_URL is set. */
export function embeddedDataDir(env: Environment, otherwise: string): string {
  const { databaseUrl, dataDir } = loadSettings(env)
  if (databaseUrl === null) return resolve(dataDir)
  throw new StartError('This is for the embedded database, and DATABASE_URL is set.', otherwise)
}
