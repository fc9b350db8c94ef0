// What stands in front of a vendor: passes requests and the live channel on, and refuses those that it is told to.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { ERRORS, type ErrorCode, type Problem } from '../../src/contract/errors.ts'

export interface VendorInFront {
  url: string
  /** Answers what has such a path with this problem, and a `Retry-After` of 77 s (429) or 1 s; null passes everything on. */
  refuse(path: RegExp | null, error?: ErrorCode): void
  stop(): Promise<void>
}

export async function vendorInFront(target: string): Promise<VendorInFront> {
  const { hostname, port } = new URL(target)
  let refused: { path: RegExp; problem: Problem } | null = null
  const pass: RequestListener = (from, to) => {
    if (refused?.path.test(from.url ?? '')) {
      from.resume()
      const wait = refused.problem.status === 429 ? '77' : '1'
      to.writeHead(refused.problem.status, {
        'Content-Type': 'application/problem+json',
        'Retry-After': wait,
      })
      to.end(JSON.stringify(refused.problem))
      return
    }
    const onward = request({ hostname, port, path: from.url, method: from.method, headers: from.headers })
    onward.on('response', (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(to)
    })
    onward.on('error', () => to.destroy())
    from.pipe(onward)
  }
  const channels = new Set<Socket>()
  const server = createServer(pass)
  server.on('upgrade', (from: IncomingMessage, near: Socket, head: Buffer) => {
    const far = connect(Number(port), hostname)
    const lines = from.rawHeaders.flatMap((name, i, all) => (i % 2 === 0 ? [`${name}: ${all[i + 1]}`] : []))
    far.write(`${from.method} ${from.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    far.write(head)
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      channels.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => channels.delete(socket))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse(path, error = 'overloaded') {
      refused = path === null ? null : { path, problem: problemOf(error) }
    },
    async stop() {
      for (const socket of channels) socket.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function problemOf(error: ErrorCode): Problem {
  const [status, title] = ERRORS[error]
  const type = `urn:leasehold:problem:${error}`
  return { type, title, status, detail: title, message: title, request_id: 'req_of_a_test', error }
}
