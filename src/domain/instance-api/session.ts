// What opening a session asks for and what it comes to: the vocabulary of exchange, refresh, activate and validate.
import type { Proof } from '../../contract/catalog.ts'
import type { ControlFields } from '../../contract/instance-api.ts'
import type { InstanceFacts, InstanceRow } from '../fleet/touch-instance.ts'
import type { SeatMode } from '../rights/claim-seat.ts'
import type { GrantedRights } from '../rights/granted-rights.ts'
import type { LicenseFacts } from '../rights/license-facts.ts'
import type { DenialReason, Standing } from '../rights/license-standing.ts'
import type { CredentialName } from './proof/find-session-credential.ts'
import type { TokenWish } from './proof/identity.ts'

export interface SessionRequest {
  /** As it was when it was looked up; it is read again under its lock. */
  license: LicenseFacts
  credential: CredentialName
  /** Whether the credential itself was presented, or a session that it once began goes on. */
  begins: boolean
  instanceId: string
  facts: InstanceFacts
  seat: SeatMode
  /** The instance token that was presented and must be right, if any. */
  instanceToken: string | undefined
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
  /** When it was decided: what is signed of it says this time, whatever happened since (T3). */
  at: Date
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

export type Denial =
  | { reason: DenialReason | 'instance_killed' | 'key_revoked' | 'key_retired' | 'seat_ended' }
  | { reason: 'instance_limit' | 'seat_churn'; limit: number; current: number }

/** `forgotten`: the instance was new and one too many of its address or product. It is told the same, and not known. */
export type SessionDenial = SessionFacts & { granted: false; forgotten?: true } & Denial
