// Which addresses may be asked: https, or plain http on loopback, or wherever the vendor allowed it.

/** The address if it may be asked, else null. */
export function parseAllowedUrl(text: string, allowInsecure: boolean): URL | null {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return null
  }
  if (url.username !== '' || url.password !== '') return null
  if (url.protocol === 'https:') return url
  return url.protocol === 'http:' && (allowInsecure || isLoopback(url.hostname)) ? url : null
}

export function isAllowedUrl(text: string, allowInsecure: boolean): boolean {
  return parseAllowedUrl(text, allowInsecure) !== null
}

/** RFC 6761 `localhost`, 127.0.0.0/8 and ::1. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}
