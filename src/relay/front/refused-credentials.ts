// Which credentials a 401 of the vendor ends, and which session. Only those that would prove something here: of strangers nothing is kept.
import { shownJwt, shownProofs } from '../proofs.ts'
import type { Memory } from './remember.ts'
import { type InstanceRequest, productOf, word } from './request.ts'

export interface RefusedCredential {
  hmac: string
  /** Unix milliseconds to which its own signature would prove something; null where only what is known of it does. */
  until: number | null
}

const DAY_SECONDS = 86_400

/** The license key or API key where it was the only one, for which of several was meant is not told; and the JWT. */
export async function refusedCredentials(
  memory: Pick<Memory, 'grants' | 'keys' | 'hash'>,
  request: InstanceRequest,
  { instanceId }: { instanceId: string },
): Promise<RefusedCredential[]> {
  const { grants, keys, hash } = memory
  const refused: RefusedCredential[] = []
  const [only, ...more] = shownProofs(request, hash)
  if (only && more.length === 0) {
    const until = only.kind === 'license_key' ? await endOfKey(memory, request) : null
    if (until !== null || grants.isKnown(only.hmac)) refused.push({ hmac: only.hmac, until })
  }
  const jwt = shownJwt(request)
  const claims = jwt === null ? null : await keys.licenseJwt(jwt, null, instanceId)
  if (jwt !== null && claims) {
    const end = claims.exp + claims.grace_days * DAY_SECONDS
    refused.push({ hmac: hash('jwt', jwt), until: end * 1000 })
  }
  return refused
}

export interface EndedSession {
  licenseId: string
  /** The kept JWT of that session. */
  jwt: string
}

/**
 * The kept grant whose session the vendor says is over (`session_ended`): of the same seat, or begun with the same
 * credential. Any JWT of that session would else be given the kept one again. A session that began since is another.
 */
export async function endedSession(
  { grants, keys }: Pick<Memory, 'grants' | 'keys'>,
  request: InstanceRequest,
  { product, instanceId }: { product: string; instanceId: string },
  answer: Record<string, unknown>,
): Promise<EndedSession | null> {
  const jwt = answer.error === 'session_ended' ? shownJwt(request) : null
  const shown = jwt === null ? null : await keys.licenseJwt(jwt, product, instanceId)
  if (!shown) return null
  const by = answer.reason === 'credential_revoked' ? 'cred' : 'act'
  for (const grant of grants.ofInstance(product, instanceId)) {
    if (grant.licenseId !== shown.license_id) continue
    const kept = await keys.licenseJwt(grant.jwt, product, instanceId)
    if (kept && kept[by] === shown[by]) return { licenseId: grant.licenseId, jwt: grant.jwt }
  }
  return null
}

async function endOfKey({ keys }: Pick<Memory, 'keys'>, request: InstanceRequest): Promise<number | null> {
  const [key, product] = [word(request.body.license_key, 8192), productOf(request)]
  const read = key === null || product === null ? null : await keys.licenseKey(key, product)
  return read && read.expiresAt * 1000
}
