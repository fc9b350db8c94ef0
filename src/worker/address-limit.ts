// What one address may ask of all isolates of a Cloudflare location together: the runtime's own rate limit, if it is bound.
// The limits of the app count in each isolate for itself.
import type { Bindings } from '../config/worker-settings.ts'
import { networkOf } from '../platform/network.ts'

/** Seconds, as `period` in wrangler.toml: the runtime does not say when the window ends. */
const RETRY_AFTER = 60

interface RateLimitBinding {
  limit(of: { key: string }): Promise<{ success: boolean }>
}

/** Cloudflare sets it on every request; every other header of that kind is the caller's own word. */
export const addressOf = (request: Request): string => request.headers.get('CF-Connecting-IP') ?? 'unknown'

/** Seconds to wait; null when the request may go on, and where nothing is bound. */
export async function overAddressLimit(bindings: Bindings, request: Request): Promise<number | null> {
  const bound = bindings.ADDRESS_LIMIT
  if (!isRateLimit(bound)) return null
  const { success } = await bound.limit({ key: networkOf(addressOf(request)) })
  return success ? null : RETRY_AFTER
}

const isRateLimit = (bound: unknown): bound is RateLimitBinding =>
  typeof bound === 'object' && bound !== null && 'limit' in bound && typeof bound.limit === 'function'
