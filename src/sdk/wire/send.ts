// One HTTP request through the platform's fetch: bounded in time and size, redirects not followed (T1). Never throws.
import type { Host } from '../host/port.ts'

/** Bytes of a body after decompression. */
export const MAX_BODY = 256 * 1024

/** All that a request needs of a platform. */
export type HttpHost = Pick<Host, 'fetch' | 'timers'>

export interface HttpRequest {
  method: 'GET' | 'POST'
  url: string
  bearer: string | null
  /** JSON text. */
  body: string | null
  /** Milliseconds for all of it, body included. */
  timeout: number
}

export type HttpResult =
  | { ok: true; status: number; text: string; headers: Headers }
  | { ok: false; why: string }

/** Sends it. `stop` ends it early. */
export async function sendHttp(
  host: HttpHost,
  request: HttpRequest,
  stop?: AbortSignal,
): Promise<HttpResult> {
  const abort = new AbortController()
  let why = 'stopped'
  const end = (reason: string) => {
    why = reason
    abort.abort()
  }
  const onStop = () => end('stopped')
  if (stop?.aborted) return { ok: false, why }
  stop?.addEventListener('abort', onStop, { once: true })
  const ended = new Promise<HttpResult>((resolve) => {
    abort.signal.addEventListener('abort', () => resolve({ ok: false, why }), { once: true })
  })
  const cancelTimer = host.timers.after(request.timeout, () => end(`no answer within ${request.timeout} ms`))
  try {
    // A fetch that ignores its signal is left behind, not waited for.
    return await Promise.race([exchange(host, request, abort.signal), ended])
  } finally {
    cancelTimer()
    stop?.removeEventListener('abort', onStop)
    abort.abort()
  }
}

async function exchange(host: HttpHost, request: HttpRequest, signal: AbortSignal): Promise<HttpResult> {
  try {
    const response = await host.fetch(request.url, {
      method: request.method,
      redirect: 'manual',
      headers: {
        Accept: 'application/json',
        ...(request.body === null ? {} : { 'Content-Type': 'application/json' }),
        ...(request.bearer === null ? {} : { Authorization: `Bearer ${request.bearer}` }),
      },
      ...(request.body === null ? {} : { body: request.body }),
      signal,
    })
    // A browser shows a redirect that was not followed as status 0.
    if (response.status === 0 || (response.status >= 300 && response.status < 400)) {
      response.body?.cancel().catch(() => {})
      return { ok: false, why: 'the answer is a redirect, which is not followed' }
    }
    const text = await readBody(response)
    if (text === null) return { ok: false, why: `the answer is larger than ${MAX_BODY} bytes` }
    return { ok: true, status: response.status, text, headers: response.headers }
  } catch (error) {
    return { ok: false, why: describe(error) }
  }
}

/** The body as text; null, and the rest unread, once it is too large. */
async function readBody(response: Response): Promise<string | null> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.byteLength
    if (size > MAX_BODY) {
      reader.cancel().catch(() => {})
      return null
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** What went wrong, with the cause that fetch hides. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed'
  const { cause } = error
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return `${error.message}${code}`.slice(0, 200)
}
