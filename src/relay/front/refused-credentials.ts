// Which credentials a 401 of the vendor ends. Only those that would prove something here: of strangers nothing is kept.
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

async function endOfKey({ keys }: Pick<Memory, 'keys'>, request: InstanceRequest): Promise<number | null> {
  const [key, product] = [word(request.body.license_key, 8192), productOf(request)]
  const read = key === null || product === null ? null : await keys.licenseKey(key, product)
  return read && read.expiresAt * 1000
}
