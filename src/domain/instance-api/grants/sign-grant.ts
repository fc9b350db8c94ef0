// Signs what a session grants: the license JWT and, unless downgraded, the entitlement token.
import { LICENSE_TYP, type LicenseClaims } from '../../../contract/claims.ts'
import { toQuotas } from '../../../license/limits.ts'
import { signJws } from '../../../mint/sign-jws.ts'
import { signRaw } from '../../../mint/sign-raw.ts'
import { publicId, uuidv7 } from '../../../platform/ids.ts'
import { unixSeconds } from '../../../platform/time.ts'
import { credentialId } from '../../rights/credential-name.ts'
import type { GrantedRights } from '../../rights/granted-rights.ts'
import type { LicenseFacts } from '../../rights/license-facts.ts'
import type { Session } from '../sessions/session.ts'
import type { Signing } from './signing.ts'

export const REFRESH_PATH = '/api/v1/licenses/refresh'

export interface LeaseFacts {
  license: LicenseFacts
  rights: GrantedRights
  /** Unix seconds. */
  exp: number
  inGrace: boolean
  instanceId?: string
  seatId?: string
  /** Public id of the credential that obtained it (T8). */
  credential: string
  refreshable: boolean
  /** When it was decided: its `iat`. */
  at: Date
  /** Defaults to a new id. */
  id?: string
}

/** The license JWT of a session and its seconds to run. */
export function signSessionJwt(signing: Signing, session: Session): { jwt: string; expires_in: number } {
  return signLicenseJwt(signing, {
    license: session.license,
    rights: session.rights,
    exp: session.standing.exp,
    inGrace: session.standing.inGrace,
    instanceId: session.instance.instanceId,
    seatId: session.seatId,
    credential: credentialId(session.credential),
    refreshable: true,
    at: session.grantedAt,
  })
}

/** Signs one lease. */
export function signLicenseJwt(
  { settings, keyring, random }: Signing,
  lease: LeaseFacts,
): { jwt: string; expires_in: number } {
  const { license, rights, at } = lease
  const iat = unixSeconds(at)
  const limits =
    license.limitsClaim === 'quotas' ? { quotas: toQuotas(rights.limits) } : { limits: rights.limits }
  const claims: LicenseClaims = {
    iss: settings.issuer,
    aud: license.productCode,
    sub: publicId('cus', license.customerId),
    jti: lease.id ?? uuidv7(at, random),
    iat,
    exp: lease.exp,
    license_id: publicId('lic', license.id),
    tier: rights.tier,
    features: rights.features,
    ...limits,
    grace_days: license.graceDays,
    org_name: license.company || license.customerName,
    trial: license.isTrial,
    cred: lease.credential,
    ...(license.expiresAt ? { license_exp: unixSeconds(license.expiresAt) } : {}),
    ...(lease.inGrace ? { in_grace: true } : {}),
    ...(lease.instanceId === undefined ? {} : { instance_id: lease.instanceId }),
    ...(lease.seatId === undefined ? {} : { act: publicId('act', lease.seatId) }),
    ...(lease.refreshable ? { refresh_url: `${settings.publicUrl}${REFRESH_PATH}` } : {}),
    ...(license.tenantId === null ? {} : { tenant_id: license.tenantId }),
  }
  const jwt = signJws(keyring.signer(license.productCode, 'license', at), LICENSE_TYP, claims)
  return { jwt, expires_in: lease.exp - iat }
}

export interface EntitlementGrant {
  license: LicenseFacts
  rights: GrantedRights
  instanceId: string
  /** Unix seconds; the token does not outlive the lease. */
  leaseExp: number
  /** When it was decided: its `issued_at`. */
  at: Date
}

/**
 * The entitlement token of a license in force; undefined while downgraded, and in the last second of grace, when none
 * would have a second to live. Never call it with a denial.
 */
export function signEntitlementToken(
  { settings, keyring, random }: Signing,
  grant: EntitlementGrant,
): string | undefined {
  const { license, rights } = grant
  if (!rights.full) return undefined
  const issuedAt = unixSeconds(grant.at)
  if (grant.leaseExp <= issuedAt) return undefined
  return signRaw(keyring.signer(license.productCode, 'raw', grant.at), 'entitlement_token', {
    iss: settings.issuer,
    product: license.productCode,
    instance_id: grant.instanceId,
    license_id: publicId('lic', license.id),
    tier: rights.tier,
    features: rights.features,
    limits: rights.limits,
    nonce: Buffer.from(random(16)).toString('hex'),
    issued_at: issuedAt,
    expires_at: Math.min(issuedAt + settings.entitlementLife, grant.leaseExp),
  })
}
