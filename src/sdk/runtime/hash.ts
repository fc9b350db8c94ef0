// SHA-256 on any platform.

/** Lower-case hex of the text's UTF-8. */
export async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** `ins_…`, by which the server names an instance: see `instanceKey` in platform/ids.ts. */
export async function instanceKey(product: string, instanceId: string): Promise<string> {
  const hash = await sha256Hex(JSON.stringify(['leasehold-instance-v1', product, instanceId]))
  const variant = ((Number.parseInt(hash.charAt(16), 16) & 3) | 8).toString(16)
  return `ins_${hash.slice(0, 12)}8${hash.slice(13, 16)}${variant}${hash.slice(17, 32)}`
}
