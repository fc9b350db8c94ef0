// The signed word from the server to one instance (T1, T2): status from a row that says so, action, state number.
import { type Action, DIRECTIVE_LIFE, DIRECTIVE_TYP, type DirectiveStatus } from '../../../contract/claims.ts'
import { signJws } from '../../../mint/sign-jws.ts'
import { publicId } from '../../../platform/ids.ts'
import { unixSeconds } from '../../../platform/time.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import type { View } from '../flow/turn.ts'
import type { LicenseStanding } from '../reports/held-licenses.ts'
import type { Signing } from './signing.ts'

export interface DirectiveSubject {
  productCode: string
  instanceId: string
  licenseId: string | null
  status: DirectiveStatus
  action: Action
  /** The instance's action number; names the state. */
  seq: number
  reason: string
  /** Its `iat`: before the reading for what is granted, after it for what is taken (T3). */
  at: Date
}

/** A directive that answers `nonce`, or undefined when the request asked for none. */
export function signDirective(
  { settings, keyring }: Signing,
  subject: DirectiveSubject,
  nonce: string | undefined,
): string | undefined {
  if (nonce === undefined) return undefined
  const iat = unixSeconds(subject.at)
  return signJws(keyring.signer(subject.productCode, 'control', subject.at), DIRECTIVE_TYP, {
    iss: settings.issuer,
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
  times: Pick<View, 'grantedAt' | 'now'>,
): DirectiveSubject {
  const denied = licensed?.standing.inForce === false ? licensed.standing.reason : ''
  const takes = instance.action !== 'none' || denied !== ''
  return {
    productCode,
    instanceId: instance.instanceId,
    licenseId: licensed?.license.id ?? null,
    status: licensed?.standing.status ?? 'unlicensed',
    action: instance.action,
    seq: instance.actionSeq,
    reason: instance.actionReason ?? denied,
    at: takes ? times.now : times.grantedAt,
  }
}
