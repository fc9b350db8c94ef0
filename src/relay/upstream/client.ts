// One request to the vendor: bounded in time and size, redirects not followed (T1). Tells an answer from an outage.
import type { Host } from '../../sdk/host/port.ts'
import { readRetryAfter } from '../../sdk/wire/answer.ts'
import { type HttpHost, sendHttp } from '../../sdk/wire/send.ts'

export interface UpstreamRequest {
  method: 'GET' | 'POST'
  /** With a leading slash. */
  path: string
  bearer: string | null
  /** JSON text. */
  body: string | null
}

/** What an answer asked for that is no answer: its `Retry-After`. */
export interface RetryAfter {
  /** Milliseconds. */
  ms: number
  /** 429 is a demand; 503 is a guess of when the vendor is back, which any answer of it corrects. */
  status: number
}

/**
 * `away`: nobody answered, or with a 5xx, which says nothing about the request (reference, section 3). A 429 is an answer to
 * an instance, with its `retryAfter` as it came; the relay itself is told by it to wait.
 */
export type UpstreamResult =
  | {
      kind: 'answer'
      status: number
      text: string
      body: Record<string, unknown> | null
      retryAfter: string | null
    }
  | Away

export interface Away {
  kind: 'away'
  why: string
  retryAfter: RetryAfter | null
}

/** `next` is the query of the page that follows, with its question mark. */
export type ListResult = { kind: 'answer'; status: number; items: unknown[]; next: string | null } | Away

export interface Upstream {
  /** For an `instance` that waits: with less patience, and not at all within a second of an outage. */
  send(request: UpstreamRequest, on?: 'instance'): Promise<UpstreamResult>
  /** For answers that are an array in pages (RFC 8288). */
  list(request: UpstreamRequest): Promise<ListResult>
  /** How often the vendor answered, and how often it was away. */
  readonly counts: { answered: number; away: number }
  /** Whether the last request met an outage; null before the first. */
  isAway(): boolean | null
  /** How far the vendor's clock is ahead, in milliseconds; null where no answer has told. Unsigned: it grants nothing. */
  clockOffset(): number | null
}

/** Clients give up after ten seconds: by then they must have what is kept. */
const INSTANCE_MS = 3000
/** A 503 with one of these concerns its own request: others are served meanwhile. */
const PASSING: readonly unknown[] = ['overloaded', 'shutting_down']
/** Milliseconds after an outage in which requests of instances are answered from the cache at once. */
const PROBE_MS = 1000

export interface UpstreamPort {
  host: HttpHost & Pick<Host, 'clock'>
  url: string
  /** Milliseconds. */
  timeout: number
  /** Unix milliseconds. */
  now(): number
  /** Told when the vendor comes or goes. */
  onChange(away: boolean, why: string): void
}

export function upstreamClient({ host, url, timeout, now, onChange }: UpstreamPort): Upstream {
  const counts = { answered: 0, away: 0 }
  let away: boolean | null = null
  let awaySince = 0
  let told: { date: number; at: number } | null = null

  /** `passing`: it says nothing about the requests of others. */
  const note = (why: string | null, passing = false): void => {
    counts[why === null ? 'answered' : 'away'] += 1
    if (passing) return
    const changed = (why !== null) !== away
    away = why !== null
    if (away) awaySince = host.clock.monotonic()
    if (changed) onChange(away, why ?? '')
  }

  async function ask({ method, path, bearer, body }: UpstreamRequest, longest = timeout, waits = false) {
    const result = await sendHttp(host, { method, url: url + path, bearer, body, timeout: longest })
    if (!result.ok) return { away: result.why, passing: false, retryAfter: null }
    const { status, headers } = result
    const date = Date.parse(headers.get('Date') ?? '')
    if (!Number.isNaN(date)) told = { date, at: host.clock.monotonic() }
    const json = parse(result.text)
    const isObject = typeof json === 'object' && json !== null
    const wait = headers.get('Retry-After')
    // A proxy's 429 in HTML is no word of the vendor.
    if (status >= 500 || (status === 429 && !(waits && isObject))) {
      const ms = readRetryAfter(wait, now())
      const passing = status === 429 || (isObject && 'error' in json && PASSING.includes(json.error))
      return { away: `status ${status}`, passing, retryAfter: ms === null ? null : { ms, status } }
    }
    // A captive portal answers 200 with a page of its own.
    const isKeySet = path.startsWith('/.well-known/') && status === 200
    if (!isObject && !isKeySet && status !== 204) {
      return { away: 'the answer is not the JSON of a license server', passing: false, retryAfter: null }
    }
    return { away: null, status, text: result.text, json, link: headers.get('Link'), wait }
  }

  return {
    counts,
    isAway: () => away,
    clockOffset: () => (told === null ? null : told.date + (host.clock.monotonic() - told.at) - now()),
    async send(request, on) {
      const waits = on === 'instance'
      if (waits && away === true && host.clock.monotonic() - awaySince < PROBE_MS) {
        return { kind: 'away', why: 'it could not be reached a moment ago', retryAfter: null }
      }
      const result = await ask(request, waits ? Math.min(timeout, INSTANCE_MS) : timeout, waits)
      note(result.away, result.passing)
      if (result.away !== null) return { kind: 'away', why: result.away, retryAfter: result.retryAfter }
      const { status, text, json, wait: retryAfter } = result
      const isObject = typeof json === 'object' && json !== null && !Array.isArray(json)
      const read = isObject ? (json as Record<string, unknown>) : null
      return { kind: 'answer', status, text, body: read, retryAfter }
    },
    async list(request) {
      const result = await ask(request)
      note(result.away, result.passing)
      if (result.away !== null) return { kind: 'away', why: result.away, retryAfter: result.retryAfter }
      const { status, json, link } = result
      if (status < 300 && !Array.isArray(json))
        return { kind: 'away', why: 'the answer is no list', retryAfter: null }
      return { kind: 'answer', status, items: Array.isArray(json) ? json : [], next: nextQuery(link) }
    },
  }
}

/** The query of the page that RFC 8288 calls `next`: its path is ours to choose. */
function nextQuery(link: string | null): string | null {
  return /<[^<>?]*(\?[^<>#]*)>; *rel="?next"?/.exec(link ?? '')?.[1] ?? null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
