// What a human at a terminal is told of a failure. Never SQL, parameters or a secret.
import { databaseFault, driverError } from '../db/errors.ts'
import { AppError } from '../platform/app-error.ts'
import { redactText } from '../platform/redact.ts'
import { StartError } from '../platform/start-error.ts'

/** The lines to print. */
export function explain(error: unknown): string[] {
  if (error instanceof StartError) return [error.message, error.fix]
  if (error instanceof AppError) return error.fix === undefined ? [error.message] : [error.message, error.fix]
  const fault = databaseFault(error)
  if (fault === 'away') {
    return ['The database does not answer.', 'Check that it runs and that DATABASE_URL names it.']
  }
  const code = driverError(error)?.code ?? ''
  if (fault === 'busy') {
    const fix = 'Try again. What holds it is in its view pg_stat_activity: a backup, a long transaction.'
    return [`The database was too busy and gave up (SQLSTATE ${code}).`, fix]
  }
  if (fault === 'refused') return [`The database refused what was asked of it (SQLSTATE ${code}).`]
  // Such an error's message holds the statement and its parameters.
  if (error instanceof Error && 'query' in error) return ['The database failed.']
  return [`Failed: ${redactText(error instanceof Error ? error.message : String(error))}`]
}
