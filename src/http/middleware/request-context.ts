// Gives each request its id and the context that verbs receive.
import { createMiddleware } from 'hono/factory'
import type { Services } from '../../domain/kernel/context.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { redactText } from '../../platform/redact.ts'
import type { Context, HttpEnv } from '../routing.ts'

const ACCEPTED_ID = /^[A-Za-z0-9._-]{8,64}$/

/**
 * A caller's own `X-Request-Id` is kept when it is harmless, so that a trace spans proxies. One that has the form of
 * a credential is not: request ids are written to the log and to the audit.
 */
export const requestContext = (servicesOf: (c: Context) => Services) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    const services = servicesOf(c)
    const given = c.req.header('X-Request-Id') ?? ''
    const requestId = isHarmless(given)
      ? given
      : publicId('req', uuidv7(services.clock.now(), services.random))
    c.set('requestId', requestId)
    c.set('ctx', {
      ...services,
      log: services.log.child({ request_id: requestId }),
      actor: { kind: 'anonymous', id: '-' },
      requestId,
      credentialAccepted: () => c.set('isAccepted', true),
    })
    c.header('X-Request-Id', requestId)
    c.header('Cache-Control', 'no-store')
    try {
      await next()
    } catch (thrown) {
      // Hono hands only Errors to its error handler; some libraries throw other things.
      throw thrown instanceof Error
        ? thrown
        : new Error('something other than an Error was thrown', { cause: thrown })
    }
  })

const isHarmless = (id: string): boolean => ACCEPTED_ID.test(id) && redactText(id) === id
