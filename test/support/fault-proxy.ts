// A way to the vendor that fails as ways do: a TCP proxy on one port whose faults are switched while it runs. Knows
// nothing of licenses.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type Fault =
  | { kind: 'none' }
  /** Nobody listens, and what was open ends. */
  | { kind: 'refused' }
  /** Accepted, then RST. */
  | { kind: 'reset' }
  /** Half-open: accepted and never a word; what was open is forgotten on the way, for ever. */
  | { kind: 'silent' }
  | { kind: 'delay'; ms: number }
  /** That share of connections is dropped in the middle. */
  | { kind: 'loss'; share: number }
  /** Answers come byte by byte, this far apart. */
  | { kind: 'drip'; ms: number }
  /** Answers are bytes that mean nothing. */
  | { kind: 'garbage' }

interface Link {
  near: Socket
  far: Socket
  lost: boolean
  channel: boolean
}

export interface FaultProxy {
  url: string
  set(fault: Fault): Promise<void>
  /** Connections from now on go to this port; those that are open end. */
  lead(port: number): void
  /** Open WebSockets whose bytes still arrive. */
  channels(): number
  stop(): Promise<void>
}

export async function startFaultProxy(target: number): Promise<FaultProxy> {
  let fault: Fault = { kind: 'none' }
  let to = target
  let server: Server | null = null
  const links = new Set<Link>()

  async function listen(port: number): Promise<number> {
    const opened = createServer(accept)
    opened.listen(port, '127.0.0.1')
    await once(opened, 'listening')
    server = opened
    return (opened.address() as AddressInfo).port
  }

  function accept(near: Socket): void {
    near.on('error', () => {})
    if (fault.kind === 'reset') return void near.resetAndDestroy()
    const far = createConnection(to, '127.0.0.1')
    far.on('error', () => {})
    const link: Link = { near, far, lost: fault.kind === 'silent', channel: false }
    links.add(link)
    near.once('data', (chunk) => {
      link.channel = /^upgrade: websocket/im.test(chunk.toString('latin1'))
    })
    pump(link, near, far)
    pump(link, far, near)
  }

  function pump(link: Link, from: Socket, into: Socket): void {
    // Bytes keep their order, whatever holds them up.
    let queue = Promise.resolve()
    from.on('data', (chunk) => {
      queue = queue.then(() => carry(link, chunk, into))
    })
    from.on('close', () => {
      queue = queue.then(() => {
        if (link.lost) return
        links.delete(link)
        into.destroySoon()
      })
    })
  }

  async function carry(link: Link, chunk: Buffer, into: Socket): Promise<void> {
    if (link.lost) return
    const now = fault
    const answer = into === link.near
    if (now.kind === 'silent') link.lost = true
    else if (now.kind === 'delay') await sleep(now.ms)
    else if (now.kind === 'loss' && Math.random() < now.share) return end(link)
    else if (now.kind === 'garbage' && answer) return void into.end(randomBytes(300))
    else if (now.kind === 'drip' && answer) {
      for (const byte of chunk) {
        if (fault !== now || into.destroyed) break
        into.write(Buffer.of(byte))
        await sleep(now.ms)
      }
      return
    }
    if (!link.lost && !into.destroyed) into.write(chunk)
  }

  function end(link: Link): void {
    links.delete(link)
    if (fault.kind === 'reset') link.near.resetAndDestroy()
    else link.near.destroy()
    link.far.destroy()
  }

  const port = await listen(0)
  return {
    url: `http://127.0.0.1:${port}`,
    async set(next) {
      const before = fault
      fault = next
      if (next.kind === 'silent') for (const link of links) link.lost = true
      if (next.kind === 'refused' || next.kind === 'reset') for (const link of [...links]) end(link)
      // Half an answer is worth nothing.
      if (before.kind === 'drip') for (const link of [...links]) end(link)
      if (next.kind === 'refused') {
        server?.close()
        server = null
      } else if (server === null) await listen(port)
    },
    lead(next) {
      to = next
      for (const link of [...links]) end(link)
    },
    channels: () =>
      [...links].filter(({ lost, channel, near }) => channel && !lost && !near.destroyed).length,
    async stop() {
      for (const link of [...links]) end(link)
      server?.close()
    },
  }
}
