// Hono middleware that lets a request through only while a feature is granted. Imports no hono: its types are met by shape.
import { type FeatureGate, type FeatureRefusal, PAYMENT_REQUIRED, refuseFeature } from './refusal.ts'

export type { FeatureGate, FeatureRefusal } from './refusal.ts'

/** As much of Hono's `Context` as this takes. */
interface JsonContext {
  json(body: FeatureRefusal, status: typeof PAYMENT_REQUIRED): Response
}

export type FeatureMiddleware = (
  context: JsonContext,
  next: () => Promise<void>,
) => Promise<Response | undefined>

/**
 * `app.get('/audit', requireFeature(license, 'audit_logs'), handler)`: without the feature, 402 with a
 * `FeatureRefusal`. The license is asked at each request, so that a change counts at once.
 */
export function requireFeature<F extends string>(license: FeatureGate<F>, feature: F): FeatureMiddleware {
  return async (context, next) => {
    const refusal = refuseFeature(license, feature)
    if (refusal) return context.json(refusal, PAYMENT_REQUIRED)
    await next()
    return undefined
  }
}
