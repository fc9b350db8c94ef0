// An upstream that means ill: it passes requests on to the vendor, and lies in the answers in one way at a time. It has
// keys of its own, and none of the vendor's.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { base64url, CompactSign, generateKeyPair } from 'jose'
import { type WebSocket, WebSocketServer } from 'ws'

export type Lie =
  /** Licenses without a signature, and plain words that kill. */
  | 'unsigned'
  /** Licenses, directives and key sets under its own keys, with the vendor's key ids. */
  | 'foreign'
  /** What the vendor answered each instance first. */
  | 'replay'

export interface Liar {
  port: number
  lie(how: Lie | null): void
  /** Events that each socket is sent a second; 0 ends it. */
  flood(perSecond: number): void
  /** Requests for the list of licenses: what hints cause. */
  lists(): number
  stop(): Promise<void>
}

type Json = Record<string, unknown>

const EXTRA = 'sso_sync'
const FLOOD_STEP_MS = 20

export async function startLiar(vendor: string): Promise<Liar> {
  let how: Lie | null = null
  let perSecond = 0
  let lists = 0
  const first = new Map<string, string>()
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })

  const server = createServer(async (request, response) => {
    const body = await text(request)
    const path = request.url ?? '/'
    if (path.startsWith('/api/v1/relay/licenses')) lists += 1
    try {
      const real = await fetch(vendor + path, {
        method: request.method ?? 'GET',
        headers: {
          'Content-Type': 'application/json',
          ...(request.headers.authorization ? { Authorization: request.headers.authorization } : {}),
        },
        ...(body === '' ? {} : { body }),
      })
      const said = await answer(path, body, await real.text())
      // A report that the vendor did not take is not passed off as taken: that lie nobody could find out.
      const lies = said.changed && real.status < 500 && path.startsWith('/api/v1/licenses/')
      response.writeHead(lies ? 200 : real.status, { 'Content-Type': 'application/json' })
      response.end(said.text)
    } catch {
      response.destroy()
    }
  })

  async function answer(
    path: string,
    body: string,
    real: string,
  ): Promise<{ text: string; changed: boolean }> {
    const kept = { text: real, changed: false }
    if (path === '/.well-known/leasehold-keys') {
      return how === 'foreign' ? { text: await foreign(real), changed: true } : kept
    }
    if (!/^\/api\/v1\/(licenses|instances)\//.test(path)) return kept
    const instance = `${path} ${String((JSON.parse(body) as Json).instance_id)}`
    if (how === null) {
      if (!first.has(instance)) first.set(instance, real)
      return kept
    }
    if (how === 'replay') return { text: first.get(instance) ?? real, changed: first.has(instance) }
    const said = JSON.parse(real) as Json
    const old = JSON.parse(first.get(`/api/v1/licenses/token ${instance.split(' ')[1]}`) ?? '{}') as Json
    const jwt = String(said.jwt ?? old.jwt ?? '')
    const directive = String(said.directive ?? '')
    if (how === 'foreign') {
      const lies = {
        ...(jwt === '' ? {} : { jwt: await foreign(jwt) }),
        ...(directive === ''
          ? {}
          : { directive: await foreign(directive, { action: 'kill', status: 'revoked' }) }),
      }
      return { text: JSON.stringify({ ...said, ...lies }), changed: true }
    }
    const { directive: _, ...plain } = said
    const words = { action: 'kill', status: 'revoked', error: 'license_revoked', expires_in: 1 }
    return {
      text: JSON.stringify({ ...plain, ...words, ...(jwt === '' ? {} : { jwt: unsigned(jwt) }) }),
      changed: true,
    }
  }

  /** The same claims and more, under the liar's key and the vendor's key id. */
  async function foreign(token: string, more: Json = {}): Promise<string> {
    const [header = '', payload = ''] = token.trim().split('.')
    const claims = { ...(decode(payload) as Json), ...more }
    const richer = Array.isArray(claims.features)
      ? { ...claims, features: [...claims.features, EXTRA] }
      : claims
    return new CompactSign(new TextEncoder().encode(JSON.stringify(richer)))
      .setProtectedHeader(decode(header) as { alg: string })
      .sign(privateKey)
  }

  const sockets = new WebSocketServer({ noServer: true })
  const flood = setInterval(() => {
    const count = Math.ceil((perSecond * FLOOD_STEP_MS) / 1000)
    for (const socket of sockets.clients) for (let i = 0; i < count; i++) socket.send(forged())
  }, FLOOD_STEP_MS)
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (opened: WebSocket) => {
      opened.on('error', () => {})
      opened.send(JSON.stringify({ type: 'welcome', event: Number.MAX_SAFE_INTEGER, ping_interval: 30 }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    lie(next) {
      how = next
    },
    flood(next) {
      perSecond = next
    },
    lists: () => lists,
    async stop() {
      clearInterval(flood)
      for (const socket of sockets.clients) socket.terminate()
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The claims and more features, in the form that says there is no signature. */
function unsigned(token: string): string {
  const claims = decode(token.split('.')[1] ?? '') as { features?: string[] }
  const part = (value: object) => base64url.encode(JSON.stringify(value))
  return `${part({ alg: 'none', typ: 'leasehold-license+jwt' })}.${part({ ...claims, features: [...(claims.features ?? []), EXTRA] })}.`
}

const decode = (part: string): unknown => JSON.parse(new TextDecoder().decode(base64url.decode(part)))

let number = Number.MAX_SAFE_INTEGER - 1_000_000
const hex = '0123456789abcdef'.repeat(2)
const forged = (): string =>
  [
    () => JSON.stringify({ type: 'license.changed', event: number++, license_id: `lic_${hex}` }),
    () => JSON.stringify({ type: 'keys.changed', event: number++, product: 'plant' }),
    () => JSON.stringify({ type: 'resync_required', event: number++ }),
    () => '{"type":"license.changed","event":"not a number"}',
  ][number++ % 4]?.() ?? ''
