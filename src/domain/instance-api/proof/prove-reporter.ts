// How a request about an instance is proven, judged over what was read of it (T8, T11). Pure.
import type { Proof } from '../../../contract/catalog.ts'
import { constantTimeEqual } from '../../../platform/hash.ts'
import type { CredentialFacts, ProductFacts, ReferenceFacts } from '../../kernel/reference.ts'
import { credentialNamed } from '../../rights/credential-name.ts'
import { isForgotten } from '../../rights/take-seat.ts'
import type { View } from '../flow/turn.ts'
import type { Presented } from './presented.ts'
import {
  jwtNotAccepted,
  otherInstance,
  seatEnded,
  tokenRequired,
  unknownProduct,
  unknownToken,
} from './refusals.ts'
import type { PresentedJwt } from './verify-license-jwt.ts'

export interface Reporter {
  productCode: string
  instanceId: string
}

export interface Proven {
  readonly proof: Proof
  /** Whether the credential proves a license: only an admin, or a license, gives such a one. */
  readonly accepted: boolean
}

/** What the judgement needs to see. */
export type ProofView = Pick<View, 'facts' | 'instance' | 'seats' | 'forgottenSeats'>

/**
 * A credential that is present but wrong is refused everywhere (T8); none at all is refused where the product asks for
 * one. @throws Refusal 401 about the credential, 403 when the JWT is another instance's.
 */
export function proveReporter(view: ProofView, presented: Presented, reporter: Reporter): Proven {
  const product = view.facts.productByCode(reporter.productCode)
  switch (presented.kind) {
    case 'none':
      if (!product) throw unknownProduct()
      if (product.instanceAuth !== 'open') throw tokenRequired()
      return { proof: 'none', accepted: false }
    case 'instance_token': {
      const { instance } = view
      if (!instance || !isToken(instance.tokenHash, presented.hash)) throw unknownToken()
      return { proof: 'instance', accepted: instance.provenLicenseId !== null }
    }
    case 'jwt':
      return proveByJwt(view, presented.jwt, reporter, product)
  }
}

/** Compared in a time that tells nothing of the stored hash. */
export function isToken(stored: string | null, hash: string): boolean {
  return stored !== null && constantTimeEqual(stored, hash)
}

/**
 * The JWT must be bound to this very instance, its seat still held and its credential not ended. Where instances are
 * open, the license of anybody may hold a seat under this id: it proves nothing unless it is the one that proved the
 * instance (T9).
 */
function proveByJwt(
  { facts, instance, seats, forgottenSeats }: ProofView,
  { claims, kid, licenseId, seatId }: PresentedJwt,
  reporter: Reporter,
  product: ProductFacts | undefined,
): Proven {
  if (claims.aud !== reporter.productCode || claims.instance_id !== reporter.instanceId) throw otherInstance()
  refuseRevokedKey(facts, kid)
  const seat = seats.get(licenseId)
  // A seat that is not on record belongs to a database restored from before it: the signed word counts (T12).
  const known = seat !== undefined && seatId !== null && seatId <= seat.id
  const ended = known && (seat.endedAt !== null || seat.id !== seatId)
  const forgotten = !seat && seatId !== null && isForgotten(seatId, forgottenSeats.get(licenseId))
  if (ended || forgotten || sessionIsOver(credentialOf(facts, claims.cred))) throw seatEnded()
  const foreign = instance?.provenLicenseId != null && instance.provenLicenseId !== licenseId
  return { proof: foreign && product?.instanceAuth === 'open' ? 'none' : 'license', accepted: true }
}

/** The signature was checked when the request came; the key may have been revoked since. */
export function refuseRevokedKey(facts: ReferenceFacts, kid: string): void {
  const key = facts.keyring.trusted.get(kid)
  if (!key || key.status === 'revoked') throw jwtNotAccepted()
}

/** The credential that `cred` names; undefined where it is not on record: the database was restored (T12). */
export function credentialOf(facts: ReferenceFacts, cred: string | undefined): CredentialFacts | undefined {
  const name = credentialNamed(cred)
  return name === null ? undefined : facts.credential(name)
}

/** Whether revoking the credential ended the sessions that it began (T8). */
export function sessionIsOver(credential: CredentialFacts | undefined): boolean {
  return credential !== undefined && credential.revokedAt !== null && credential.endSessions
}
