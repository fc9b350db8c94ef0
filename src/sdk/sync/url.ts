// Where the live channel may be: an answer names it unsigned, and a credential is sent there, so it must be the server
// that was asked anyway.

/**
 * The address as a WebSocket's, if it is of the server's own origin, or the same host and port under TLS; else null. One
 * with a user, a query or a fragment is none of ours.
 */
export function channelUrl(offered: string | null, server: string | null): string | null {
  if (offered === null || server === null) return null
  try {
    const own = new URL(server)
    const { href, origin, pathname } = new URL(offered.replace(/^ws/i, 'http'))
    const atHome = origin === own.origin || origin === `https://${own.host}`
    return atHome && href === origin + pathname ? href.replace('http', 'ws') : null
  } catch {
    return null
  }
}
