// The address of a server that gets to see an admin key: https, or this very machine.
import { UsageError } from '../command.ts'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * The address without a slash at its end. @throws UsageError for anything but a plain http(s) URL, and for plain HTTP
 * over a network unless that was allowed.
 */
export function serverAddress(text: string, { allowInsecure }: { allowInsecure: boolean }): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('The server must be an address such as https://license.example.com.')
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError('The address of the server has no user, password, query or fragment.')
  }
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname) && !allowInsecure) {
    throw new UsageError(
      'Over plain HTTP anybody on the way can read the admin key. Use https, or add --allow-insecure.',
    )
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}
