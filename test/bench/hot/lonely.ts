// A single request on an idle server: one connection, one request after the other.
import { Agent, request as httpRequest } from 'node:http'
import { median } from '../lab/numbers.ts'
import { headersOf, type Request } from '../load/request.ts'

const REQUESTS = 200
const WARM_UP = 50

/** Median latency in milliseconds. @throws Error at an answer of status 400 and above. */
export async function lonelyMs(
  target: { host: string; port: number },
  requests: readonly Request[],
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  for (let i = 0; i < WARM_UP + REQUESTS; i += 1) {
    const request = requests[i % requests.length]
    if (!request) break
    const start = performance.now()
    const { status, text } = await send(agent, target, request)
    if (status >= 400) throw new Error(`${request.path}: ${status} ${text}`)
    if (i >= WARM_UP) times.push(performance.now() - start)
  }
  agent.destroy()
  return median(times)
}

/** One request, its answer read to the end. */
export function send(
  agent: Agent | undefined,
  { host, port }: { host: string; port: number },
  request: Request,
): Promise<{ status: number; text: string }> {
  const content = request.body ?? request.form
  const length = content === undefined ? {} : { 'Content-Length': Buffer.byteLength(content) }
  return new Promise((done, reject) => {
    const sent = httpRequest(
      {
        host,
        port,
        method: request.method,
        path: request.path,
        headers: { ...headersOf(request), ...length },
        ...(agent ? { agent } : {}),
      },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (part: string) => {
          text += part
        })
        answer.on('end', () => done({ status: answer.statusCode ?? 0, text }))
        answer.on('error', reject)
      },
    )
    sent.on('error', reject)
    sent.end(content)
  })
}
