// Whose word about the client's address is believed: the peer itself, and the proxies of LEASEHOLD_TRUSTED_PROXIES.
import { BlockList, isIP } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Network } from '../config/addresses.ts'

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** An IPv4 address that came in over an IPv6 socket is written as what it is. */
export function plainAddress(address: string): string {
  return address.startsWith('::') ? (MAPPED.exec(address)?.[1] ?? address) : address
}

/** The other end of the connection; `unknown` once it is gone. */
export function peerAddress(c: Context): string {
  const { incoming } = c.env as HttpBindings
  return plainAddress(incoming.socket.remoteAddress ?? 'unknown')
}

/** Whether an address lies in one of the networks. Text that is no address lies in none. */
export function trustedProxies(networks: readonly Network[]): (address: string) => boolean {
  const list = new BlockList()
  for (const { address, prefix, family } of networks) list.addSubnet(address, prefix, family)
  return (address) => {
    const plain = plainAddress(address)
    const version = isIP(plain)
    return version !== 0 && !plain.includes('%') && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}
