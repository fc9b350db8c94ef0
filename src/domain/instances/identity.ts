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
  { ok: true; issueToken: boolean } | { ok: false; reason: 'instance_id_taken' | 'instance_token_required' }

/** What the request wants: `token` when its caller has shown that it holds no instance token. */
export interface IdentityWish {
  auth: InstanceAuth
  /** Register and activate without an instance token ask for one; an exchange does not. */
  wantsToken: boolean
}

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
    if (own) return { ok: true, issueToken: replaceable || (wish.wantsToken && wish.auth === 'token') }
    return wish.auth === 'open' ? { ok: true, issueToken: false } : { ok: false, reason: 'instance_id_taken' }
  }
  if (wish.wantsToken && known.provenLicenseId === null && replaceable) return { ok: true, issueToken: true }
  if (wish.auth === 'open') return { ok: true, issueToken: false }
  return { ok: false, reason: wish.wantsToken ? 'instance_id_taken' : 'instance_token_required' }
}
