// Holds a request's proofs against what the instance's row knows (T8, T9).
import { and, eq, gt, isNull } from 'drizzle-orm'
import type { Transaction } from '../../../db/client.ts'
import { activations } from '../../../db/schema/index.ts'
import { wellFormed } from '../../../platform/credentials.ts'
import { constantTimeEqual } from '../../../platform/hash.ts'
import { readLineageState } from '../../fleet/lineage-state.ts'
import { readRefreshToken } from '../../fleet/refresh-token.ts'
import type { InstanceRow } from '../../fleet/touch-instance.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { hashCredential } from '../../kernel/credential-hash.ts'
import type { LicenseFacts } from '../../rights/license-facts.ts'
import type { SessionRequest } from '../session.ts'
import { judgeIdentity } from './identity.ts'

export interface IdentityQuestion {
  row: InstanceRow
  created: boolean
  license: Pick<LicenseFacts, 'id' | 'instanceAuth' | 'productCode'>
  request: Pick<
    SessionRequest,
    'instanceToken' | 'boundJwt' | 'tokenWish' | 'chain' | 'secondProof' | 'instanceId'
  >
  now: Date
}

/**
 * Whether this caller may speak for the instance, and whether it is given a new token.
 * @throws Refusal `instance_token_unknown`, `second_proof_required` (401), `instance_id_taken` (409).
 */
export async function provenIdentity(
  tx: Transaction,
  ctx: Ctx,
  { row, created, license, request, now }: IdentityQuestion,
): Promise<{ issueToken: boolean; foreign: boolean }> {
  const token = request.instanceToken
  if (token !== undefined && !isTokenOf(ctx, row, token)) throw unknownToken()
  const lineage = readLineageState(row.lineage)
  if (request.secondProof && lineage?.used && token === undefined) {
    const scope = { key: ctx.pepper, product: license.productCode, instanceId: request.instanceId }
    const chain = request.chain.refresh_token
    if (chain === undefined || !readRefreshToken(scope, chain)) throw secondProofRequired()
  }
  const foreign = !created && row.provenLicenseId !== null && row.provenLicenseId !== license.id
  const verdict = judgeIdentity(
    created
      ? null
      : {
          hasToken: row.tokenHash !== null,
          tokenPresented: row.tokenPresentedAt !== null,
          provenLicenseId: row.provenLicenseId,
          seatLicenseIds: foreign ? await liveSeatLicenses(tx, row.instanceKey, now) : [],
        },
    { instance: token !== undefined || request.boundJwt, licenseId: license.id },
    { auth: license.instanceAuth, token: request.tokenWish },
  )
  if (!verdict.ok) throw instanceIdTaken()
  return verdict
}

/** Whether the text is this instance's current token. */
export function isTokenOf(ctx: Ctx, row: Pick<InstanceRow, 'tokenHash'>, token: string): boolean {
  if (!wellFormed('instance_token', token) || row.tokenHash === null) return false
  return constantTimeEqual(row.tokenHash, hashCredential(ctx, 'instance_token', token))
}

export const unknownToken = () =>
  new Refusal('instance_token_unknown', 'This instance token is not known.', {
    fix: 'Register again with a proof of license (API key, license key or license JWT) to get a new one.',
  })

export const instanceIdTaken = () =>
  new Refusal('instance_id_taken', 'Another installation has proven this instance id.', {
    fix: 'Send its instance token, use an instance id of your own, or ask the vendor to reset the token.',
  })

const secondProofRequired = () =>
  new Refusal('second_proof_required', 'An expired license JWT alone no longer proves this instance.', {
    fix: 'Send refresh_token or instance_token beside it, or exchange the API key again.',
  })

async function liveSeatLicenses(tx: Transaction, instanceKey: string, now: Date): Promise<string[]> {
  const rows = await tx
    .select({ licenseId: activations.licenseId })
    .from(activations)
    .where(
      and(
        eq(activations.instanceKey, instanceKey),
        isNull(activations.endedAt),
        gt(activations.leaseEndsAt, now),
      ),
    )
  return rows.map((row) => row.licenseId)
}
