// Reads the driver's error out of drizzle's: its own message holds SQL and parameters and must never be shown.

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
  // Given up after waiting, or after the attempts of transaction(): the database is too busy.
  '55P03',
  '57014',
  '25P03',
  '40001',
  '40P01',
])

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

/** True when the database cannot be reached or is going away, as opposed to refusing a statement. */
export function isDatabaseAway(error: unknown): boolean {
  const found = driverError(error)
  return found === null ? isSocketFault(error) : AWAY.has(found.code)
}

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
