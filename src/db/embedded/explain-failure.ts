// Turns what the operating system and PostgreSQL say about disks and permissions into words an operator can act on.
import { StartError } from '../../platform/start-error.ts'

const FULL =
  /no space left on device|check free disk space|wrote only \d+ of \d+ bytes|disk quota exceeded|ENOSPC|EDQUOT/i
const READ_ONLY = /read-only file system|EROFS/i
const FORBIDDEN = /permission denied|operation not permitted|EACCES|EPERM/i
const MEMORY = /could not (create|map|resize) .*shared memory|cannot allocate memory|ENOMEM/i

/** What a way out of every problem with the embedded database is. */
export const USE_YOUR_OWN = 'set DATABASE_URL to a PostgreSQL server of your own'

/**
 * A StartError for `cause` (an error, or the lines a program printed), met while doing `what` in `place`.
 * A StartError comes back as it is.
 */
export function explainFailure(what: string, place: string, cause: unknown): StartError {
  if (cause instanceof StartError) return cause
  const said = cause instanceof Error ? cause.message : String(cause)
  const options = cause instanceof Error ? { cause } : {}
  const because = (why: string, fix: string) =>
    new StartError(`Could not ${what} in ${place}: ${why}`, fix, options)
  if (FULL.test(said)) {
    return because(
      'the disk is full.',
      `Free some space on the disk of ${place} and start again. Nothing was deleted.`,
    )
  }
  if (READ_ONLY.test(said)) {
    return because(
      'the file system is read-only.',
      `Set LEASEHOLD_DATA_DIR to a folder that can be written, or ${USE_YOUR_OWN}.`,
    )
  }
  if (FORBIDDEN.test(said)) {
    return because(
      `permission denied (${tellingLine(said)}).`,
      `Give the user that runs the server ownership of ${place}, set LEASEHOLD_DATA_DIR to a folder it owns, or ${USE_YOUR_OWN}.`,
    )
  }
  if (MEMORY.test(said)) {
    return because(
      `there is not enough memory (${tellingLine(said)}).`,
      `Give the server more memory or shared memory, or ${USE_YOUR_OWN}.`,
    )
  }
  return because(tellingLine(said), `Look at the log lines above, or ${USE_YOUR_OWN}.`)
}

function tellingLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const telling = lines.find((line) => /error|fatal|panic/i.test(line)) ?? lines.at(-1)
  return telling?.trim() ?? 'no reason was given'
}
