// Whether the driver of this program is the corrected one. An installation without scripts, or a copied node_modules,
// brings the released one, with which a lost connection can end the process or mix up transactions.
import postgres from 'postgres'
import { StartError } from '../platform/start-error.ts'

/** As scripts/patch-postgres.mjs writes it into the driver. A bundle carries it along. */
const CORRECTIONS = 2

/** @throws StartError when `driver` is not corrected. */
export function requireCorrectedDriver(driver: object = postgres): void {
  if ('corrections' in driver && driver.corrections === CORRECTIONS) return
  throw new StartError(
    'The installed PostgreSQL driver (node_modules/postgres) lacks the corrections that this server needs.',
    'Run `node scripts/patch-postgres.mjs`. `npm ci` does so by itself, unless it is told to ignore scripts.',
  )
}
