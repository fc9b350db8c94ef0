// GET and POST /api/v1/admin/license, GET …/license/usage, whatever the framework (wire format, section 4). Knows the
// path, the method, and how to ask for admin and body; answers nothing else, and nobody but an admin.
import type { LicenseService } from './service.ts'

export const LICENSE_PATH = '/api/v1/admin/license'
const USAGE_PATH = `${LICENSE_PATH}/usage`

/** Bytes of a body: a token with room around it. @internal */
export const MAX_BODY = 64 * 1024

/** @internal */
export interface Asked {
  method: string
  path: string
  contentType: string | null
  /** The vendor's own check: the admin's name, or a refusal. What it throws is the framework's. */
  admin(): string | false | null | undefined | Promise<string | false | null | undefined>
  /** The body's text, or what a parser has made of it; null where it is larger than `MAX_BODY`. */
  body(): Promise<unknown>
}

/** @internal */
export interface Answer {
  status: number
  body: unknown
  headers: Record<string, string>
}

/** Null where the path is not one of these. @internal */
export async function answerLicense(service: LicenseService, asked: Asked): Promise<Answer | null> {
  const path = asked.path.replace(/\/$/, '')
  if (path !== LICENSE_PATH && path !== USAGE_PATH) return null
  const by = await asked.admin()
  if (typeof by !== 'string' || by.trim() === '') return answer(403, { error: 'admin required' })
  const { method } = asked
  const isRead = method === 'GET' || method === 'HEAD'
  if (path === USAGE_PATH) {
    return isRead ? answer(200, await service.usage()) : notAllowed('GET, HEAD')
  }
  if (isRead) return answer(200, service.current())
  if (method !== 'POST') return notAllowed('GET, HEAD, POST')
  // A form on another site can send neither this type nor ask for it.
  if (!/^application\/json\s*(;|$)/i.test(asked.contentType ?? '')) {
    return answer(415, { error: 'the body must be application/json' })
  }
  const body = await asked.body()
  if (body === null) return answer(413, { error: `the body is larger than ${MAX_BODY} bytes` })
  const token = tokenIn(body)
  if (token === null) return answer(400, { error: 'the body must be {"token": "…"}' })
  const result = await service.install(token, by)
  if (!result.ok) return answer(result.status, { error: result.error })
  return answer(200, { state: result.state, envelope: result.envelope })
}

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return { status, body, headers: { 'cache-control': 'no-store', ...headers } }
}

const notAllowed = (allow: string) => answer(405, { error: 'method not allowed' }, { allow })

function tokenIn(body: unknown): string | null {
  let parsed = body
  if (typeof body === 'string') {
    try {
      parsed = JSON.parse(body)
    } catch {
      return null
    }
  }
  if (typeof parsed !== 'object' || parsed === null || !('token' in parsed)) return null
  return typeof parsed.token === 'string' ? parsed.token : null
}

/** What the routes of both frameworks take. */
export interface LicenseRoutesOptions<Request> {
  /**
   * The vendor's own admin check, required: the admin's name lets the request through and goes into the audit; anything
   * else is 403. An error of it is the framework's to answer, and lets nobody through.
   */
  admin: (request: Request) => string | false | null | undefined | Promise<string | false | null | undefined>
}

/** @throws TypeError without an admin check @internal */
export function checkRoutes<R>(
  options: LicenseRoutesOptions<R> | undefined,
): LicenseRoutesOptions<R>['admin'] {
  if (typeof options?.admin !== 'function')
    throw new TypeError('licenseRoutes needs an admin check: { admin }')
  return options.admin
}
