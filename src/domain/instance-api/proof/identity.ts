// Who may speak for an instance id (T9). Pure: judges, looks nothing up, writes nothing.
import type { InstanceAuth } from '../../../contract/catalog.ts'

/** What is known of the instance; null when it is new. */
export interface KnownIdentity {
  hasToken: boolean
  tokenPresented: boolean
  /** The license that proved it, null while it is provisional. */
  provenLicenseId: string | null
  /** Licenses under which it holds a seat now. */
  seatLicenseIds: readonly string[]
}

export interface PresentedProof {
  /** The instance token, or an unexpired license JWT bound to this instance. */
  instance: boolean
  /** The license whose key, API key or JWT came along. */
  licenseId: string | null
}

export type IdentityVerdict =
  /**
   * `issueToken`: this answer carries a new instance token, and the old one dies. `foreign`: another license has proven
   * the instance; the caller may use it, but does not speak for it.
   */
  { ok: true; issueToken: boolean; foreign: boolean } | { ok: false; reason: 'instance_id_taken' }

export interface IdentityWish {
  auth: InstanceAuth
  token: TokenWish
}

/**
 * `wanted`: register and activate without an instance token ask for one. `if_unused`: an exchange replaces a token
 * that was never presented, for its first answer may have been lost. `keep`: a refresh leaves it alone.
 */
export type TokenWish = 'wanted' | 'if_unused' | 'keep'

/**
 * A new instance gets a token. One that was never proven passes to any proof of a license. A proven one answers only
 * to its token, to a license it belongs to, or to an admin. Where a product's instances are `open`, strangers are
 * heard but are given no token.
 */
export function judgeIdentity(
  known: KnownIdentity | null,
  proof: PresentedProof,
  wish: IdentityWish,
): IdentityVerdict {
  if (known === null) return spokenFor(true)
  if (proof.instance) return spokenFor(false)
  const replaceable = !known.hasToken || !known.tokenPresented
  if (proof.licenseId !== null) {
    if (known.provenLicenseId === null) return spokenFor(true)
    if (isOwn(known, proof.licenseId, wish.auth)) return spokenFor(mayReplace(wish, replaceable))
    return wish.auth === 'open' ? STRANGER : TAKEN
  }
  // Nobody has proven it, and it holds no seat that a token would give away.
  if (known.provenLicenseId === null && known.seatLicenseIds.length === 0 && replaceable) {
    return spokenFor(wish.token === 'wanted')
  }
  return wish.auth === 'open' ? STRANGER : TAKEN
}

const STRANGER = { ok: true, issueToken: false, foreign: true } as const
const TAKEN = { ok: false, reason: 'instance_id_taken' } as const
const spokenFor = (issueToken: boolean) => ({ ok: true, issueToken, foreign: false }) as const

/** Where instances are open, anybody may take a seat under any instance id: a seat proves nothing there. */
function isOwn(known: KnownIdentity, licenseId: string, auth: InstanceAuth): boolean {
  if (known.provenLicenseId === licenseId) return true
  return auth === 'token' && known.seatLicenseIds.includes(licenseId)
}

function mayReplace({ auth, token }: IdentityWish, unused: boolean): boolean {
  if (token === 'keep') return false
  return unused || (token === 'wanted' && auth === 'token')
}
