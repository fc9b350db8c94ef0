// Who may speak for an instance id (T9). Pure: judges, looks nothing up, writes nothing.
import type { InstanceAuth } from '../../contract/catalog.ts'

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
  /** `issueToken`: this answer carries a new instance token, and the old one dies. */
  { ok: true; issueToken: boolean } | { ok: false; reason: 'instance_id_taken' }

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
  if (known === null) return { ok: true, issueToken: true }
  if (proof.instance) return { ok: true, issueToken: false }
  const replaceable = !known.hasToken || !known.tokenPresented
  if (proof.licenseId !== null) {
    if (known.provenLicenseId === null) return { ok: true, issueToken: true }
    const own = known.provenLicenseId === proof.licenseId || known.seatLicenseIds.includes(proof.licenseId)
    if (own) return { ok: true, issueToken: mayReplace(wish, replaceable) }
    return wish.auth === 'open' ? { ok: true, issueToken: false } : { ok: false, reason: 'instance_id_taken' }
  }
  if (known.provenLicenseId === null && replaceable) return { ok: true, issueToken: wish.token === 'wanted' }
  return wish.auth === 'open' ? { ok: true, issueToken: false } : { ok: false, reason: 'instance_id_taken' }
}

function mayReplace({ auth, token }: IdentityWish, unused: boolean): boolean {
  if (token === 'keep') return false
  return unused || (token === 'wanted' && auth === 'token')
}
