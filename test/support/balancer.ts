// A load balancer as they are everywhere: looks at /readyz, takes turns among those that are ready, keeps connections,
// and repeats no request.
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'

export interface Balancer {
  url: string
  /** Requests sent to each port so far. */
  sent: ReadonlyMap<number, number>
  stop(): void
}

export async function startBalancer(ports: readonly number[], lookMs: number): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true })
  const ready = new Set<number>()
  const sent = new Map<number, number>()
  const look = async () => {
    for (const port of ports) {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
      if (answer?.status === 200) ready.add(port)
      else ready.delete(port)
      await answer?.arrayBuffer()
    }
  }
  await look()
  const looking = setInterval(() => void look(), lookMs)
  let turn = 0
  const forward = (asked: IncomingMessage, answer: ServerResponse) => {
    const among = [...ready]
    const port = among[turn++ % among.length]
    if (port === undefined) return void answer.writeHead(502).end('none is ready')
    sent.set(port, (sent.get(port) ?? 0) + 1)
    const { method, url, headers } = asked
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers, agent }, (given) => {
      const { connection: _, ...kept } = given.headers
      answer.writeHead(given.statusCode ?? 502, kept)
      pipeline(given, answer, () => {})
    })
    onward.on('error', (error) => answer.headersSent || answer.writeHead(502).end(String(error)))
    pipeline(asked, onward, () => {})
  }
  const server = createServer(forward)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    stop() {
      clearInterval(looking)
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }
}
