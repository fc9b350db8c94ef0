// One request to the vendor: bounded in time and size, redirects not followed (T1). Tells an answer from an outage.
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

/** `away`: nobody answered, or with 429 or 5xx, which say nothing about the request (reference, section 3). */
export type UpstreamResult =
  | { kind: 'answer'; status: number; text: string; body: Record<string, unknown> | null }
  | { kind: 'away'; why: string; retryAfter: number | null }

export interface Upstream {
  send(request: UpstreamRequest): Promise<UpstreamResult>
  /** How often the vendor answered, and how often it was away. */
  readonly counts: { answered: number; away: number }
  /** The last result; null before the first. */
  isAway(): boolean | null
}

export interface UpstreamPort {
  host: HttpHost
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
  const noted = (result: UpstreamResult): UpstreamResult => {
    const isAway = result.kind === 'away'
    counts[isAway ? 'away' : 'answered'] += 1
    if (isAway !== away) onChange(isAway, result.kind === 'away' ? result.why : '')
    away = isAway
    return result
  }
  return {
    counts,
    isAway: () => away,
    async send({ method, path, bearer, body }) {
      const result = await sendHttp(host, { method, url: url + path, bearer, body, timeout })
      if (!result.ok) return noted({ kind: 'away', why: result.why, retryAfter: null })
      const { status, text } = result
      if (status === 429 || status >= 500) {
        const retryAfter = readRetryAfter(result.retryAfter, now())
        return noted({ kind: 'away', why: `status ${status}`, retryAfter })
      }
      const json = parse(text)
      // A captive portal answers 200 with a page of its own.
      if (json === undefined && status < 400 && !text.startsWith('eyJ')) {
        return noted({
          kind: 'away',
          why: 'the answer is not the JSON of a license server',
          retryAfter: null,
        })
      }
      return noted({ kind: 'answer', status, text, body: json ?? null })
    },
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
