// Node's file errors in the words of the storage port.
import { StorageFault, type StorageProblem } from './port.ts'

const PROBLEMS: Readonly<Record<string, StorageProblem>> = {
  EACCES: 'denied',
  EPERM: 'denied',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read_only',
  ELOOP: 'symlink',
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** A StorageFault for whatever went wrong with a file. */
export function storageFault(error: unknown, place: string): StorageFault {
  if (error instanceof StorageFault) return error
  const code = codeOf(error)
  return new StorageFault(PROBLEMS[code] ?? 'failed', `${place}: ${code || String(error)}`)
}

/** Runs file work; what it throws becomes a StorageFault. */
export async function asStorage<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageFault(error, place)
  }
}
