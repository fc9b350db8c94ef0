// What a human at a terminal is told of a failure. Never SQL, parameters or a secret.
import { driverError, isDatabaseAway } from '../db/errors.ts'
import { AppError } from '../platform/app-error.ts'
import { redactText } from '../platform/redact.ts'
import { StartError } from '../platform/start-error.ts'

/** Five characters, at least one a digit: no code of the system has that form. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/

/** The lines to print. */
export function explain(error: unknown): string[] {
  if (error instanceof StartError) return [error.message, error.fix]
  if (error instanceof AppError) return error.fix === undefined ? [error.message] : [error.message, error.fix]
  if (isDatabaseAway(error)) {
    return ['The database does not answer.', 'Check that it runs and that DATABASE_URL names it.']
  }
  const code = driverError(error)?.code ?? ''
  if (SQLSTATE.test(code)) return [`The database refused what was asked of it (SQLSTATE ${code}).`]
  // Such an error's message holds the statement and its parameters.
  if (error instanceof Error && 'query' in error) return ['The database failed.']
  return [`Failed: ${redactText(error instanceof Error ? error.message : String(error))}`]
}
