// Who is calling: the peer, or what trusted proxies say of it. A forwarded header of a stranger counts for nothing.
import { isIP } from 'node:net'
import type { AppDependencies } from '../environment.ts'
import type { Context } from '../routing.ts'

const MOST_HOPS = 32

/** The rightmost address of `X-Forwarded-For` that is no trusted proxy itself. */
export const clientAddress =
  ({ peerAddress, isTrustedProxy }: Pick<AppDependencies, 'peerAddress' | 'isTrustedProxy'>) =>
  (c: Context): string => {
    let address = peerAddress(c)
    const forwarded = c.req.header('X-Forwarded-For')
    if (forwarded === undefined || !isTrustedProxy(address)) return address
    for (const hop of forwarded.split(',').slice(-MOST_HOPS).reverse()) {
      const candidate = addressOf(hop)
      if (candidate === null) break
      address = candidate
      if (!isTrustedProxy(candidate)) break
    }
    return address
  }

const WITH_PORT = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/

/** Some proxies write a port too, which differs for each connection. */
function addressOf(hop: string): string | null {
  const text = hop.trim()
  const [, bracketed, plain] = WITH_PORT.exec(text) ?? []
  const address = bracketed ?? plain ?? text
  return isIP(address) === 0 ? null : address
}
