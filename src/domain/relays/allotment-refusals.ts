// Why a relay gets no allotment, in words that its operator can act on (T13).
import { rfc3339 } from '../../platform/time.ts'
import { Refusal } from '../kernel/context.ts'
import type { LicenseFacts } from '../rights/license-facts.ts'
import type { DenialReason } from '../rights/license-standing.ts'

const WORDS: Record<DenialReason, string> = {
  license_suspended: 'suspended',
  license_revoked: 'revoked',
  license_expired: 'expired',
}

export const notInForce = (license: Pick<LicenseFacts, 'expiresAt'>, reason: DenialReason) =>
  new Refusal(reason, `The license is ${WORDS[reason]}: no seats of it are allotted.`, {
    facts: { reason, ...(license.expiresAt ? { expires_at: rfc3339(license.expiresAt) } : {}) },
    fix: 'Ask your vendor. What was allotted before holds until its end.',
  })

export const noShare = () =>
  new Refusal('allotment_refused', 'This relay has no share of this license.', {
    facts: { reason: 'no_share', allowed: 0 },
    fix: 'Ask your vendor for a share; give back what was allotted before with `release`.',
  })

export const noFreeSeats = (limit: number) =>
  new Refusal('allotment_refused', 'No seat of this license is free.', {
    facts: { reason: 'no_free_seats', limit },
    fix: 'End a seat that is not needed, or ask your vendor for more.',
  })
