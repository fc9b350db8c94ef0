// Fingerprints of the credentials that this process has lately accepted as those of a license or an admin. Decides who
// waits under load, never who may.
import { createHash } from 'node:crypto'

export interface KnownCredentials {
  has(fingerprint: string): boolean
  add(fingerprint: string): void
  forget(fingerprint: string): void
}

const MOST = 50_000

/** What stands for a credential in this process's memory. */
export const fingerprintOf = (credential: string): string =>
  createHash('sha256').update(credential).digest('base64url').slice(0, 22)

/** Bounded: the one that was accepted longest ago is forgotten first. */
export function knownCredentials(): KnownCredentials {
  const known = new Set<string>()
  return {
    has: (fingerprint) => known.has(fingerprint),
    add(fingerprint) {
      known.delete(fingerprint)
      known.add(fingerprint)
      if (known.size > MOST) {
        const [oldest] = known
        if (oldest !== undefined) known.delete(oldest)
      }
    },
    forget: (fingerprint) => known.delete(fingerprint),
  }
}
