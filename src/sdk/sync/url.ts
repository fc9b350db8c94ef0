// Where the live channel may be: an answer names it unsigned, and a credential is sent there, so it must be the server
// that was asked anyway.

/**
 * The address as a WebSocket's, if it is of the server's own origin, or the same host under TLS; else null. One with a
 * user, a query or a fragment is none of ours.
 */
export function channelUrl(offered: string | null, server: string | null): string | null {
  if (offered === null || server === null) return null
  try {
    const own = new URL(server)
    const url = new URL(offered.replace(/^http/i, 'ws'))
    const isSafe = url.protocol === 'wss:' || (url.protocol === 'ws:' && own.protocol === 'http:')
    const isPlain = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
    // An absent port is the scheme's own.
    const atHome = portless(url) === portless(own) || (url.protocol === 'wss:' && url.host === own.host)
    return isSafe && isPlain && atHome ? url.href : null
  } catch {
    return null
  }
}

const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'ws:': '80', 'https:': '443', 'wss:': '443' }

const portless = ({ hostname, port, protocol }: URL): string => `${hostname}:${port || PORTS[protocol]}`
