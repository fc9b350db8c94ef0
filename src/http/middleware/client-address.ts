// Who is calling: the peer, or what trusted proxies say of it. A forwarded header of a stranger counts for nothing.
import { isIP } from 'node:net'
import { createMiddleware } from 'hono/factory'
import { networkOf } from '../../platform/network.ts'
import type { AppDependencies } from '../environment.ts'
import type { HttpEnv } from '../routing.ts'

const MOST_HOPS = 32

/** The rightmost address of `X-Forwarded-For` that is no trusted proxy itself. */
export const clientAddress = (deps: Pick<AppDependencies, 'peerAddress' | 'isTrustedProxy'>) =>
  createMiddleware<HttpEnv>(async (c, next) => {
    let address = deps.peerAddress(c)
    const forwarded = c.req.header('X-Forwarded-For')
    if (forwarded !== undefined && deps.isTrustedProxy(address)) {
      for (const hop of forwarded.split(',').slice(-MOST_HOPS).reverse()) {
        const candidate = addressOf(hop)
        if (candidate === null) break
        address = candidate
        if (!deps.isTrustedProxy(candidate)) break
      }
    }
    c.set('address', address)
    c.set('ctx', { ...c.get('ctx'), network: networkOf(address) })
    await next()
  })

const WITH_PORT = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/

/** Some proxies write a port too, which differs for each connection. */
function addressOf(hop: string): string | null {
  const text = hop.trim()
  const [, bracketed, plain] = WITH_PORT.exec(text) ?? []
  const address = bracketed ?? plain ?? text
  return isIP(address) === 0 ? null : address
}
