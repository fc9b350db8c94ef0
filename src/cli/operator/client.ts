// The admin API as a command calls it. Repeats only what can do no harm twice: reads, and POSTs, which carry a key by
// which the server knows them again. Follows no redirect: the admin key is for one address.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isJsonObject } from '../../license/json.ts'
import { RefusedError } from '../command.ts'
import { unreachable } from './unreachable.ts'

const ATTEMPTS = 4
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5_000
/** Longer than a server lets a statement run. */
const TIMEOUT_MS = 40_000

export interface Call {
  method: string
  /** Below the server's address, with its query. */
  path: string
  body?: unknown
  accept?: string
  /** For the public routes, which take no admin key. */
  anonymous?: boolean
}

export interface ApiAnswer {
  status: number
  /** As the server sent it. */
  text: string
  headers: Headers
}

export interface AdminClient {
  /** @throws RefusedError where the server refuses, or does not answer within all attempts. */
  call(call: Call): Promise<ApiAnswer>
}

export function adminClient({ server, key }: { server: string; key: string }): AdminClient {
  return {
    async call(call) {
      const { method, path, body, accept = 'application/json', anonymous } = call
      const request: RequestInit = {
        method,
        redirect: 'manual',
        headers: {
          Accept: accept,
          'User-Agent': 'leasehold-cli',
          ...(anonymous ? {} : { Authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...(method === 'POST' && !anonymous ? { 'Idempotency-Key': randomUUID() } : {}),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }
      const repeatable = method === 'GET' || (method === 'POST' && !anonymous)
      const answer = await attempts(`${server}${path}`, request, repeatable, server)
      if (answer.status >= 200 && answer.status < 300) return answer
      throw new RefusedError(refusal(answer, server))
    },
  }
}

async function attempts(
  url: string,
  request: RequestInit,
  repeatable: boolean,
  server: string,
): Promise<ApiAnswer> {
  for (let attempt = 1, pause = FIRST_PAUSE_MS; ; attempt += 1, pause *= 2) {
    const last = attempt === ATTEMPTS
    try {
      const response = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) })
      const text = await response.text()
      if (response.status !== 503 || !repeatable || last) {
        return { status: response.status, text, headers: response.headers }
      }
      await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(pause, retryAfterMs(response))))
    } catch (error) {
      const { lines, sent } = unreachable(error, server)
      // What never left this machine may go again, whatever it is.
      if (last || (sent && !repeatable)) throw new RefusedError(lines)
      await sleep(pause)
    }
  }
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('Retry-After'))
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0
}

/** Detail, each wrong member, what to do, and by what the server's log finds it. */
function refusal({ status, text, headers }: ApiAnswer, server: string): string[] {
  const problem = parsed(text)
  const detail = problem && typeof problem.detail === 'string' ? problem.detail : null
  if (!problem || detail === null) {
    const to = headers.get('Location')
    return to !== null && status >= 300 && status < 400
      ? [`${server} sends on to another address (${status}).`, `Log in to the address itself: ${to}`]
      : [
          `${server} answered ${status} and did not explain it.`,
          'Check that the address is a Leasehold server.',
        ]
  }
  const errors = Array.isArray(problem.errors) ? problem.errors.filter(isJsonObject) : []
  return [
    `${detail} (${status} ${String(problem.error)})`,
    ...errors.map(({ pointer, message }) => `  ${String(pointer).replace(/^\//, '')}: ${String(message)}`),
    ...(typeof problem.fix === 'string' ? [problem.fix] : []),
    ...(typeof problem.request_id === 'string' ? [`Request ${problem.request_id}`] : []),
  ]
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}
