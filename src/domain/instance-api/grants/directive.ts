// The signed word from the server to one instance (T1, T2): status from a row that says so, action, state number.
import { type Action, DIRECTIVE_LIFE, DIRECTIVE_TYP, type DirectiveStatus } from '../../../contract/claims.ts'
import { signJws } from '../../../mint/sign-jws.ts'
import { publicId } from '../../../platform/ids.ts'
import { unixSeconds } from '../../../platform/time.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { Ctx } from '../../kernel/context.ts'
import type { LicenseStanding } from '../../rights/best-standing.ts'

export interface DirectiveSubject {
  productCode: string
  instanceId: string
  licenseId: string | null
  status: DirectiveStatus
  action: Action
  /** The instance's action number; names the state. */
  seq: number
  reason: string
  /** When it was decided: its `iat`. */
  at: Date
}

/** A directive that answers `nonce`, or undefined when the request asked for none. */
export async function signDirective(
  ctx: Ctx,
  subject: DirectiveSubject,
  nonce: string | undefined,
): Promise<string | undefined> {
  if (nonce === undefined) return undefined
  const keyring = await ctx.keyring.current(subject.productCode)
  const iat = unixSeconds(subject.at)
  return signJws(keyring.signer(subject.productCode, 'control', subject.at), DIRECTIVE_TYP, {
    iss: ctx.settings.issuer,
    aud: subject.productCode,
    sub: subject.instanceId,
    license_id: subject.licenseId === null ? null : publicId('lic', subject.licenseId),
    status: subject.status,
    action: subject.action,
    seq: subject.seq,
    keys: keyring.keySetNumber,
    nonce,
    iat,
    exp: iat + DIRECTIVE_LIFE,
    reason: subject.reason,
  })
}

/** What is said to an instance that asked about itself, not about one license: its best license, or none. */
export function standingDirective(
  productCode: string,
  instance: Pick<InstanceRow, 'instanceId' | 'action' | 'actionSeq' | 'actionReason'>,
  licensed: LicenseStanding | null,
  at: Date,
): DirectiveSubject {
  const denied = licensed?.standing.inForce === false ? licensed.standing.reason : ''
  return {
    productCode,
    instanceId: instance.instanceId,
    licenseId: licensed?.license.id ?? null,
    status: licensed?.standing.status ?? 'unlicensed',
    action: instance.action,
    seq: instance.actionSeq,
    reason: instance.actionReason ?? denied,
    at,
  }
}
