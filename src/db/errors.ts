// Reads the driver's error out of drizzle's: its own message holds SQL and parameters and must never be shown. Says what
// kind it is: the database is away, it is too busy, or it has refused the statement.

/** It cannot be reached, or is going away. */
const AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '08000',
  '08001',
  '08003',
  '08004',
  '08006',
  // Outside of Postgres itself (class 58): how Hyperdrive says that it does not reach the database.
  '58000',
])

/** It answers, and gave up: after waiting for others, or after the time that a statement or transaction has. */
const BUSY = new Set(['55P03', '57014', '25P03', '40001', '40P01'])

const TRANSIENT = new Set(['40001', '40P01', '55P03'])

export interface DriverError {
  code: string
  constraint?: string
}

/** The innermost error that carries a driver or SQLSTATE code, or null. */
export function driverError(error: unknown): DriverError | null {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code, constraint_name } = at as { code?: unknown; constraint_name?: unknown }
    if (typeof code === 'string') {
      return typeof constraint_name === 'string' ? { code, constraint: constraint_name } : { code }
    }
  }
  return null
}

/**
 * `away`: nothing can be done until it is back. `busy`: this piece of work took or waited too long; others may go on.
 * `refused`: it does not want what it was asked for. Null for an error that does not come from the database.
 */
export type DatabaseFault = 'away' | 'busy' | 'refused'

export function databaseFault(error: unknown): DatabaseFault | null {
  if (isDatabaseAway(error)) return 'away'
  const found = driverError(error)
  if (found === null) return null
  if (BUSY.has(found.code)) return 'busy'
  return SQLSTATE.test(found.code) ? 'refused' : null
}

/** Five characters, at least one a digit: no code of the system has that form. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/

/** True when the database cannot be reached or is going away, as opposed to being busy or refusing a statement. */
export function isDatabaseAway(error: unknown): boolean {
  const found = driverError(error)
  return found === null ? isSocketFault(error) : AWAY.has(found.code)
}

/** True when the database answers, but gave up waiting for others or ran out of time. */
export function isDatabaseBusy(error: unknown): boolean {
  return BUSY.has(driverError(error)?.code ?? '')
}

/** True when the work may simply be asked for again later: the database is away or too busy. */
export const isDatabaseUnavailable = (error: unknown): boolean =>
  isDatabaseAway(error) || isDatabaseBusy(error)

/** On Workers a socket fails with a plain Error that has no code. The driver adds the statement that waited for it. */
function isSocketFault(error: unknown): boolean {
  let innermost = error
  for (let depth = 0; innermost instanceof Error && innermost.cause !== undefined && depth < 5; depth += 1) {
    innermost = innermost.cause
  }
  return innermost instanceof Error && innermost.name === 'Error' && 'query' in innermost
}

/** True for a serialization failure, deadlock or lock timeout: the same transaction may be tried again. */
export function isTransient(error: unknown): boolean {
  return TRANSIENT.has(driverError(error)?.code ?? '')
}

/** True when the statement broke this named constraint. */
export function violates(error: unknown, constraint: string): boolean {
  return driverError(error)?.constraint === constraint
}

const NO_PARTITION = '23514'

/** True when a report's day has no partition yet: a check violation that names no constraint. */
export function lacksPartition(error: unknown): boolean {
  const found = driverError(error)
  return found?.code === NO_PARTITION && found.constraint === undefined
}
