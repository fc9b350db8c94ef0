// Gives each request its id and the context that verbs receive.
import type { Services } from '../../domain/kernel/context.ts'
import { newPublicId } from '../../platform/ids.ts'
import { lazyChild } from '../../platform/logger.ts'
import { networkOf } from '../../platform/network.ts'
import { redactText } from '../../platform/redact.ts'
import { goneCheck, presetHeader } from '../node-request.ts'
import type { Context } from '../routing.ts'

const ACCEPTED_ID = /^[A-Za-z0-9._-]{8,64}$/
const ANONYMOUS = { kind: 'anonymous', id: '-' } as const

/**
 * A caller's own `X-Request-Id` is kept when it is harmless, so that a trace spans proxies. One that has the form of
 * a credential is not: request ids are written to the log and to the audit.
 */
export function openContext(c: Context, services: Services, address: string, arrivedAt: number): void {
  const given = c.req.header('X-Request-Id')
  const requestId =
    given !== undefined && isHarmless(given)
      ? given
      : newPublicId('req', services.clock.now(), services.random)
  const network = networkOf(address)
  c.set('requestId', requestId)
  c.set('network', network)
  c.set('ctx', {
    ...services,
    log: lazyChild(services.log, { request_id: requestId }),
    actor: ANONYMOUS,
    requestId,
    network,
    arrivedAt,
    isGone: goneCheck(c),
    credentialAccepted: () => c.set('isAccepted', true),
  })
  presetHeader(c, 'X-Request-Id', requestId)
  presetHeader(c, 'Cache-Control', 'no-store')
}

const isHarmless = (id: string): boolean => ACCEPTED_ID.test(id) && redactText(id) === id
