// One HTTP request of a load, ready to be sent. Lists of them are written to files that a load generator reads.
import { writeFile } from 'node:fs/promises'

export interface Request {
  method: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  /** JSON. */
  body?: string
  /** A form instead. */
  form?: string
}

/** Lists are made anew for each run: no request is sent twice, unless that changes nothing. */
export interface RequestList {
  requests: readonly Request[]
  /** Whether the list begins again when it is through; else the load ends there. */
  repeats: boolean
}

/** All headers but those that the connection makes. */
export function headersOf({ headers = {}, body, form }: Request): Record<string, string> {
  if (body !== undefined) return { ...headers, 'Content-Type': 'application/json' }
  return form === undefined ? headers : { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' }
}

/** The bytes on the wire. */
export function wireForm(request: Request): string {
  const content = request.body ?? request.form
  const lines = [`${request.method} ${request.path} HTTP/1.1`, 'Host: 127.0.0.1']
  for (const [name, value] of Object.entries(headersOf(request))) lines.push(`${name}: ${value}`)
  if (content !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(content)}`)
  return `${lines.join('\r\n')}\r\n\r\n${content ?? ''}`
}

const LENGTH_DIGITS = 8

/** Writes every `of`-th request, from number `first`: each preceded by its length in eight digits. */
export async function writeRequests(
  file: string,
  requests: readonly Request[],
  { first, of }: { first: number; of: number },
): Promise<void> {
  const parts: string[] = []
  for (let i = first; i < requests.length; i += of) {
    const request = requests[i]
    if (!request) continue
    const text = wireForm(request)
    parts.push(String(Buffer.byteLength(text)).padStart(LENGTH_DIGITS, '0'), text)
  }
  await writeFile(file, parts.join(''))
}
