// What opening a session asks for and what it comes to: the vocabulary of exchange, refresh, activate and validate.
import type { Proof } from '../../../contract/catalog.ts'
import type { ControlFields } from '../../../contract/instance-api.ts'
import type { InstanceFacts, InstanceRow } from '../../fleet/touch-instance.ts'
import type { CredentialName, LicenseFacts } from '../../kernel/reference.ts'
import type { GrantedRights } from '../../rights/granted-rights.ts'
import type { DenialReason, Standing } from '../../rights/license-standing.ts'
import type { SeatMode, SeatRefusal } from '../../rights/take-seat.ts'
import type { Subject } from '../flow/turn.ts'
import type { TokenWish } from '../proof/identity.ts'

export interface SessionRequest {
  subject: Subject
  licenseId: string
  credential: CredentialName
  /** Whether the credential itself was presented, or a session that it once began goes on. */
  begins: boolean
  facts: InstanceFacts
  seat: SeatMode
  /** Hash of the instance token that was presented and must be right, if any. */
  tokenHash: string | undefined
  /** An unexpired JWT that proves this instance came along beside the license key. */
  boundJwt: boolean
  tokenWish: TokenWish
  chain: Pick<ControlFields, 'refresh_token' | 'refresh_id'>
  /** An expired JWT needs a second proof once the chain was used (T8). */
  secondProof?: boolean
}

interface SessionFacts {
  license: LicenseFacts
  standing: Standing
  instance: InstanceRow
  /** A new instance token, shown once. */
  instanceToken: string | undefined
  /** How the request proved the instance: `none` where another license has proven it. */
  proof: Proof
  /** What is granted is dated with it: before anything was read (T3). */
  grantedAt: Date
  /** What is denied is dated with it: after everything was read (T3). */
  decidedAt: Date
}

/** A license in force, its seat held. */
export interface Session extends SessionFacts {
  granted: true
  standing: Extract<Standing, { inForce: true }>
  rights: GrantedRights
  seatId: string
  credential: CredentialName
  refreshToken: string
}

export type Denial = { reason: DenialReason | 'instance_killed' | 'key_revoked' } | SeatRefusal

/** `forgotten`: the instance was new and one too many of its address or product. It is told the same, and not known. */
export type SessionDenial = SessionFacts & { granted: false; forgotten?: true } & Denial
