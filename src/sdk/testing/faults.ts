// What can go wrong between an SDK and its server, told to the test server by name. Decides no license.
import type { HostTimers } from '../host/port.ts'

/** What the test server answers. */
export const ENDPOINTS = [
  'exchange',
  'refresh',
  'register',
  'heartbeat',
  'activate',
  'validate',
  'deactivate',
  'telemetry',
  'key_set',
  'jwks',
  'signing_key',
] as const
export type Endpoint = (typeof ENDPOINTS)[number]

/**
 * - `down`: the connection is refused. `reset`: it breaks after the request. `truncated`: in the middle of the answer.
 * - `slow`: the answer comes after `ms`. `endless`: its body never ends.
 * - `html`: 200 with a web page. `redirect`: 302 to another host. `error`: 500. `busy`: 429 with `Retry-After`.
 * - `unauthorized`: 401, the credential is not known.
 * - `forged`: signed by a stranger under the right `kid`. `replayed`: signed well, in answer to another nonce.
 */
export type Fault =
  | 'down'
  | 'reset'
  | 'truncated'
  | 'slow'
  | 'endless'
  | 'html'
  | 'redirect'
  | 'error'
  | 'busy'
  | 'unauthorized'
  | 'forged'
  | 'replayed'

export interface FaultOptions {
  /** Default: all of them. */
  only?: readonly Endpoint[]
  /** How many requests it strikes. Default: all until `heal()`. */
  times?: number
  /** Milliseconds of `slow`. Default 30 000. */
  ms?: number
  /** Seconds in `Retry-After` of `busy`. Default 120. */
  retryAfter?: number
}

export interface ActiveFault {
  fault: Fault
  ms: number
  retryAfter: number
}

export interface FaultList {
  fail(fault: Fault, options?: FaultOptions): void
  heal(): void
  /** The fault that strikes this request, and counts it. */
  strike(endpoint: Endpoint): ActiveFault | null
}

export function faultList(): FaultList {
  let faults: (ActiveFault & { only: readonly Endpoint[]; left: number })[] = []
  return {
    fail(fault, { only = ENDPOINTS, times = Number.POSITIVE_INFINITY, ms = 30_000, retryAfter = 120 } = {}) {
      // The last word about an endpoint counts.
      faults.unshift({ fault, only, left: times, ms, retryAfter })
    },
    heal() {
      faults = []
    },
    strike(endpoint) {
      const struck = faults.find(({ only, left }) => left > 0 && only.includes(endpoint))
      if (!struck) return null
      struck.left--
      return struck
    },
  }
}

/** The answer of a server that is in trouble; null where the fault leaves the answer to the server. */
export function troubled({ fault, retryAfter }: ActiveFault): Response | null {
  switch (fault) {
    case 'html':
      return new Response('<!doctype html><title>Welcome</title><h1>Sign in to the network</h1>', {
        headers: { 'Content-Type': 'text/html' },
      })
    case 'redirect':
      return new Response(null, { status: 302, headers: { Location: 'https://elsewhere.test/login' } })
    case 'error':
      return new Response('Internal Server Error', { status: 500 })
    case 'busy':
      return new Response('{"error":"rate_limited","message":"Too many requests."}', {
        status: 429,
        headers: { 'Content-Type': 'application/problem+json', 'Retry-After': String(retryAfter) },
      })
    case 'unauthorized':
      return new Response('{"error":"credential_unknown","message":"The credential is not known."}', {
        status: 401,
        headers: { 'Content-Type': 'application/problem+json' },
      })
    case 'endless':
      return new Response(new ReadableStream({ pull: (body) => body.enqueue(new Uint8Array(65_536)) }))
    default:
      return null
  }
}

/** What `fetch` throws, with the cause that Node gives it. */
export function connectionFault(code: 'ECONNREFUSED' | 'ECONNRESET' | 'ENOTFOUND'): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
}

/** The first half of the answer, and then nothing. */
export async function cutShort(response: Response): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  const body = new ReadableStream({
    start(stream) {
      stream.enqueue(bytes.slice(0, bytes.length >> 1))
    },
    pull: (stream) => stream.error(new TypeError('terminated')),
  })
  return new Response(body, { status: response.status, headers: response.headers })
}

/** Waits on the virtual clock; rejects when the request is given up. */
export function wait(timers: HostTimers, ms: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(ms, resolve)
    const giveUp = () => {
      cancel()
      reject(new DOMException('This operation was aborted', 'AbortError'))
    }
    if (signal?.aborted) giveUp()
    else signal?.addEventListener('abort', giveUp, { once: true })
  })
}
