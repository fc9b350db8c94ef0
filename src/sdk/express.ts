// Express middleware that lets a request through only while a feature is granted. Imports no express: its types are met
// by shape. It needs no more of a response than Node's own has, so Express 4 and 5, Connect and their like will do.
import { type FeatureGate, PAYMENT_REQUIRED, refuseFeature } from './refusal.ts'

export type { FeatureGate, FeatureRefusal } from './refusal.ts'

/** As much of a response as this takes, whatever body its route declares. */
interface PlainResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

export type FeatureMiddleware = (request: unknown, response: PlainResponse, next: () => void) => void

/**
 * `app.get('/audit', requireFeature(license, 'audit_logs'), handler)`: without the feature, 402 with a
 * `FeatureRefusal`. The license is asked at each request, so that a change counts at once.
 */
export function requireFeature<F extends string>(license: FeatureGate<F>, feature: F): FeatureMiddleware {
  return (_request, response, next) => {
    const refusal = refuseFeature(license, feature)
    if (refusal === null) {
      next()
      return
    }
    response.statusCode = PAYMENT_REQUIRED
    response.setHeader('Content-Type', 'application/json; charset=utf-8')
    response.end(JSON.stringify(refusal))
  }
}
