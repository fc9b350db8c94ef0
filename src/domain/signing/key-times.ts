// A signing key's status, decided from its timestamps and nothing else (T4). Pure.
import type { KeyStatus } from '../../contract/claims.ts'

export interface KeyTimes {
  notBefore: Date
  /** When its successor takes over; null while it has none. */
  supersededAt: Date | null
  /** When the last token that it signed has run out, grace included. */
  retiredAt: Date | null
  revokedAt: Date | null
}

/** `pending → active → retiring → retired`; `revoked` from the moment it was revoked. */
export function keyStatus(times: KeyTimes, now: Date): KeyStatus {
  if (times.revokedAt !== null && times.revokedAt <= now) return 'revoked'
  if (times.notBefore > now) return 'pending'
  if (times.supersededAt === null || times.supersededAt > now) return 'active'
  return times.retiredAt === null || times.retiredAt > now ? 'retiring' : 'retired'
}
