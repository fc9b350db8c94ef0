// Signs what a session grants: the license JWT and, unless downgraded, the entitlement token.
import { LICENSE_TYP, type LicenseClaims } from '../../../contract/claims.ts'
import { toQuotas } from '../../../license/limits.ts'
import { signJws } from '../../../mint/sign-jws.ts'
import { signRaw } from '../../../mint/sign-raw.ts'
import { publicId, uuidv7 } from '../../../platform/ids.ts'
import { unixSeconds } from '../../../platform/time.ts'
import type { Ctx } from '../../kernel/context.ts'
import type { GrantedRights } from '../../rights/granted-rights.ts'
import type { LicenseFacts } from '../../rights/license-facts.ts'
import type { CredentialName } from '../proof/find-session-credential.ts'
import type { Session } from '../session.ts'

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
export async function signSessionJwt(
  ctx: Ctx,
  session: Session,
): Promise<{ jwt: string; expires_in: number }> {
  return signLicenseJwt(ctx, {
    license: session.license,
    rights: session.rights,
    exp: session.standing.exp,
    inGrace: session.standing.inGrace,
    instanceId: session.instance.instanceId,
    seatId: session.seatId,
    credential: credentialId(session.credential),
    refreshable: true,
    at: session.at,
  })
}

/** Signs one lease. */
export async function signLicenseJwt(
  ctx: Ctx,
  lease: LeaseFacts,
): Promise<{ jwt: string; expires_in: number }> {
  const { license, rights, at } = lease
  const iat = unixSeconds(at)
  const limits =
    license.limitsClaim === 'quotas' ? { quotas: toQuotas(rights.limits) } : { limits: rights.limits }
  const claims: LicenseClaims = {
    iss: ctx.settings.issuer,
    aud: license.productCode,
    sub: publicId('cus', license.customerId),
    jti: lease.id ?? uuidv7(at, ctx.random),
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
    ...(lease.refreshable ? { refresh_url: `${ctx.settings.publicUrl}${REFRESH_PATH}` } : {}),
    ...(license.tenantId === null ? {} : { tenant_id: license.tenantId }),
  }
  const keyring = await ctx.keyring.current(license.productCode)
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
export async function signEntitlementToken(ctx: Ctx, grant: EntitlementGrant): Promise<string | undefined> {
  const { license, rights } = grant
  if (!rights.full) return undefined
  const issuedAt = unixSeconds(grant.at)
  if (grant.leaseExp <= issuedAt) return undefined
  const keyring = await ctx.keyring.current(license.productCode)
  return signRaw(keyring.signer(license.productCode, 'raw', grant.at), 'entitlement_token', {
    iss: ctx.settings.issuer,
    product: license.productCode,
    instance_id: grant.instanceId,
    license_id: publicId('lic', license.id),
    tier: rights.tier,
    features: rights.features,
    limits: rights.limits,
    nonce: Buffer.from(ctx.random(16)).toString('hex'),
    issued_at: issuedAt,
    expires_at: Math.min(issuedAt + ctx.settings.entitlementLife, grant.leaseExp),
  })
}

/** `key_…`, `lk_…` or `sjw_…`. */
export function credentialId({ source, id }: CredentialName): string {
  return publicId(source === 'api_key' ? 'key' : source === 'license_key' ? 'lk' : 'sjw', id)
}
