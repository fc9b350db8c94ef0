// Keeps what is granted under a license of another machine from being handed out, whoever granted it and when.
import type { Binding } from '../binding.ts'
import { shownJwt, shownProofs } from '../proofs.ts'
import type { Memory } from './remember.ts'
import { type InstanceRequest, instanceIdOf, productOf, word } from './request.ts'

export type BoundContext = Memory & { binding: Binding }

/** The license of another machine that this request asks a grant of, or null. */
export async function foreignAsked(context: BoundContext, request: InstanceRequest): Promise<string | null> {
  if (!context.binding.isNeeded()) return null
  const asked = await licenseAsked(context, request)
  return asked !== null && context.binding.isForeign(asked) ? asked : null
}

/** As the credential tells: a JWT or a license key of itself, an API key where it was used here before. */
async function licenseAsked(context: BoundContext, request: InstanceRequest): Promise<string | null> {
  const { grants, keys, hash } = context
  const [jwt, licenseKey] = [shownJwt(request), word(request.body.license_key, 8192)]
  const [instanceId, product] = [instanceIdOf(request), productOf(request)]
  if (jwt !== null) return (await keys.licenseJwt(jwt, product, instanceId))?.license_id ?? null
  if (licenseKey !== null && product !== null)
    return (await keys.licenseKey(licenseKey, product))?.licenseId ?? null
  const [apiKey] = shownProofs(request, hash).filter(({ kind }) => kind === 'api_key')
  return apiKey === undefined ? null : (grants.licenseOf(apiKey.hmac)?.licenseId ?? null)
}

/** The license of another machine that this answer of the vendor grants, or null. */
export async function foreignGranted(
  { binding, keys }: BoundContext,
  request: InstanceRequest,
  answer: Record<string, unknown> | null,
): Promise<string | null> {
  const jwt = binding.isNeeded() ? word(answer?.jwt, 65_536) : null
  const claims = jwt === null ? null : await keys.licenseJwt(jwt, null, instanceIdOf(request))
  return claims && binding.isForeign(claims.license_id) ? claims.license_id : null
}

/** A heartbeat's answer without the entitlement token of such a license; all else of it is the instance's. */
export async function withoutForeign<Body extends Record<string, unknown> | null>(
  { binding, keys }: BoundContext,
  request: InstanceRequest,
  body: Body,
): Promise<Body> {
  const token = binding.isNeeded() ? word(body?.entitlement_token, 16_384) : null
  const [product, instanceId] = [productOf(request), instanceIdOf(request)]
  if (token === null || product === null || instanceId === null) return body
  const claims = await keys.entitlement(token, product, instanceId)
  if (claims === null || !binding.isForeign(claims.license_id)) return body
  const { entitlement_token: _, ...rest } = body as Record<string, unknown>
  return rest as Body
}
