// What every request to the API passes before its route, in this order: is the server stopping, what has the caller left
// of its rates, is there room, who is the admin, what is the body, and whose turn is it.
import { createMiddleware } from 'hono/factory'
import { Refusal } from '../../domain/kernel/context.ts'
import { unlimited } from '../../platform/rate-limit.ts'
import type { AppDependencies } from '../environment.ts'
import { mayHaveBody } from '../node-request.ts'
import { problemResponse } from '../problem.ts'
import type { Context, HttpEnv } from '../routing.ts'
import type { AdminCheck } from './admin-only.ts'
import { unboundedBodies } from './held-bodies.ts'
import { knownCredentials } from './known-credentials.ts'
import { type RateLimits, settleRates, takeRates } from './limit-rates.ts'
import { isAdminPath, isInstancePath, isPublicKeyPath } from './load-class.ts'
import { inTurn, openGate, refuseWhenFull } from './overload.ts'
import { takeBody } from './request-body.ts'

export function apiRequest(deps: AppDependencies, admin: AdminCheck) {
  const { guard, isStopping, gate: vendors = openGate, bodies = unboundedBodies } = deps
  const { instanceGate: instances = vendors } = deps
  const rates: RateLimits = {
    address: deps.rateLimit,
    credential: deps.credentialRateLimit ?? unlimited,
    known: knownCredentials(),
  }

  async function pass(c: Context, next: () => Promise<void>): Promise<void> {
    const { path } = c.req
    if (isPublicKeyPath(path)) return guard(next(), c)
    const gate = isInstancePath(path) ? instances : vendors
    refuseWhenFull(gate, c)
    if (!mayHaveBody(c)) return inTurn(gate, c, () => guard(next(), c))
    // A stranger's body must cost nothing.
    if (isAdminPath(path)) await inTurn(gate, c, () => guard(admin(c), c))
    const release = await takeBody(c, bodies)
    try {
      await inTurn(gate, c, () => guard(next(), c))
    } finally {
      release()
    }
  }

  return createMiddleware<HttpEnv>(async (c, next) => {
    if (isStopping?.() && c.req.path.startsWith('/api/')) throw stopping()
    const payer = takeRates(c, rates)
    try {
      await pass(c, next)
    } catch (error) {
      c.res = problemResponse(error, c)
    }
    settleRates(c, rates, payer)
  })
}

const stopping = () =>
  new Refusal('shutting_down', 'This server is stopping. Nothing was done; try again.', {
    fix: 'Send the request again: another process, or this one after its restart, answers it.',
  })
