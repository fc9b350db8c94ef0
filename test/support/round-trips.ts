// A proxy before Postgres that counts how often somebody had to wait for it, and can lose an answer on the way.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface RoundTrips {
  /** The database's URL, by way of this proxy. */
  readonly url: string
  /** What went to Postgres since `reset`, one text per round trip: all that was sent before an answer came. */
  sent(): string[]
  reset(): void
  /** From here on what Postgres says is thrown away; with the next thing it says the connection ends. */
  loseNextAnswer(): void
  stop(): Promise<void>
}

export async function countRoundTrips(databaseUrl: string): Promise<RoundTrips> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let sent: string[] = []
  let answered = true
  let losing = false

  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname)
    sockets.add(near).add(far)
    for (const socket of [near, far]) socket.on('error', () => {})
    near.on('data', (chunk) => {
      if (answered) sent.push('')
      answered = false
      sent.push((sent.pop() ?? '') + chunk.toString('latin1'))
      far.write(chunk)
    })
    far.on('data', (chunk) => {
      answered = true
      if (losing) near.destroy()
      else near.write(chunk)
    })
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    sent: () => sent,
    reset() {
      sent = []
      answered = true
      losing = false
    },
    loseNextAnswer() {
      losing = true
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
