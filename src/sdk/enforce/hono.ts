// For Hono: what it answers for a cap, and the routes of the installed license. Imports no hono: its types are met by shape.
import { answerLicense, checkRoutes, type LicenseRoutesOptions, MAX_BODY } from '../offline/answer.ts'
import type { LicenseService } from '../offline/service.ts'
import { capRefusal } from './errors.ts'

export type { LicenseRoutesOptions } from '../offline/answer.ts'

interface CapContext {
  json(body: object, status: 403 | 422): Response
}

/**
 * `app.onError((error, c) => answerCap(c, error) ?? c.text('failed', 500))`: 403 for a cap that was reached, 422 for a
 * setting over its cap, each with its body; null for any other error.
 */
export function answerCap(context: CapContext, error: unknown): Response | null {
  const refusal = capRefusal(error)
  return refusal && context.json(refusal.body, refusal.status)
}

/** As much of Hono's `Context` as the routes take. */
interface RouteContext {
  req: { raw: Request; method: string; path: string; text(): Promise<string> }
}

/**
 * `app.use(licenseRoutes(service, { admin: (c) => nameOfAdmin(c) }))`: GET and POST `/api/v1/admin/license` and GET
 * `/api/v1/admin/license/usage`; other paths pass. @throws TypeError without an admin check
 */
export function licenseRoutes<C extends RouteContext>(
  service: LicenseService,
  options: LicenseRoutesOptions<C>,
): (context: C, next: () => Promise<void>) => Promise<Response | undefined> {
  const admin = checkRoutes(options)
  return async (context, next) => {
    const { raw, method, path } = context.req
    const answer = await answerLicense(service, {
      method,
      path,
      contentType: raw.headers.get('content-type'),
      admin: () => admin(context),
      // What a middleware has read is Hono's to give again, and in memory already.
      body: () => (raw.bodyUsed || raw.body?.locked ? bounded(context.req.text()) : textOf(raw.body)),
    })
    if (answer) return Response.json(answer.body, { status: answer.status, headers: answer.headers })
    await next()
    return undefined
  }
}

async function bounded(reading: Promise<string>): Promise<string | null> {
  const text = await reading
  return new TextEncoder().encode(text).length > MAX_BODY ? null : text
}

/** Null where there is more of it than `MAX_BODY` bytes. */
async function textOf(body: ReadableStream<Uint8Array> | null): Promise<string | null> {
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { value, done = true } = (await reader?.read()) ?? {}
    if (done || !value) return text + decoder.decode()
    size += value.length
    if (size > MAX_BODY) {
      await reader?.cancel()
      return null
    }
    text += decoder.decode(value, { stream: true })
  }
}
