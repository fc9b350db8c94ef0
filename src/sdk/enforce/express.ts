// For Express: what it answers for a cap, and the routes of the installed license. Imports no express: its types are met
// by shape. It needs no more of a response than Node's own has.
import { answerLicense, checkRoutes, type LicenseRoutesOptions, MAX_BODY } from '../offline/answer.ts'
import type { LicenseService } from '../offline/service.ts'
import { capRefusal } from './errors.ts'

export type { LicenseRoutesOptions } from '../offline/answer.ts'

/** As much of a response as this takes, whatever body its route declares. */
interface PlainResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

/**
 * An error handler, after the routes: `app.use(answerCap)`. 403 for a cap that was reached, 422 for a setting over its
 * cap, each with its body; any other error passes.
 */
export function answerCap(
  error: unknown,
  _request: unknown,
  response: PlainResponse,
  next: (error?: unknown) => void,
): void {
  const refusal = capRefusal(error)
  if (refusal) send(response, refusal.status, refusal.body)
  else next(error)
}

/** As much of a request as the routes take: Node's own, with what Express adds. */
interface PlainRequest extends AsyncIterable<Uint8Array> {
  method?: string
  url?: string
  originalUrl?: string
  headers: Readonly<Record<string, string | string[] | undefined>>
}

/**
 * `app.use(licenseRoutes(service, { admin: (request) => nameOfAdmin(request) }))`: GET and POST `/api/v1/admin/license`
 * and GET `/api/v1/admin/license/usage`; other paths pass. A body that `express.json()` has read is taken as it is.
 * @throws TypeError without an admin check
 */
export function licenseRoutes<R extends PlainRequest>(
  service: LicenseService,
  options: LicenseRoutesOptions<R>,
): (request: R, response: PlainResponse, next: (error?: unknown) => void) => void {
  const admin = checkRoutes(options)
  return (request, response, next) => {
    const { method = 'GET', url = '', originalUrl = url, headers } = request
    const contentType = headers['content-type']
    answerLicense(service, {
      method,
      path: originalUrl.replace(/[?#].*$/, ''),
      contentType: typeof contentType === 'string' ? contentType : null,
      admin: () => admin(request),
      body: async () => ('body' in request && request.body !== undefined ? request.body : textOf(request)),
    }).then((answer) => {
      if (!answer) return next()
      for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value)
      // What was not read of it is in the way of the next request.
      if (answer.status === 413) response.setHeader('connection', 'close')
      send(response, answer.status, answer.body)
    }, next)
  }
}

/** Null where there is more of it than `MAX_BODY` bytes. */
async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string | null> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > MAX_BODY) return null
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function send(response: PlainResponse, status: number, body: unknown): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.end(JSON.stringify(body))
}
