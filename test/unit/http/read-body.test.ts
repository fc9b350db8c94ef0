// Bodies as they come over a socket: whole, in pieces, too long, too slow, and broken off.
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { readBody } from '../../../src/http/middleware/read-body.ts'
import { goneCheck } from '../../../src/http/node-request.ts'
import type { HttpEnv } from '../../../src/http/routing.ts'

const MOST = 100_000
const LONGEST_MS = 1_000
const seen: string[] = []
let isGone: (() => boolean) | undefined
let server: ReturnType<typeof serve>
let port = 0

beforeAll(async () => {
  const app = new Hono<HttpEnv>()
  app.post('/', async (c) => {
    const body = await readBody(c, { bytes: MOST, ms: LONGEST_MS })
    seen.push(`read ${body.byteLength}`)
    return c.text(`${body.byteLength} ${body.every((byte) => byte === 0x61)}`)
  })
  app.post('/waiting', async (c) => {
    isGone = goneCheck(c)
    await readBody(c, { bytes: MOST, ms: LONGEST_MS })
    seen.push(`gone ${isGone()}`)
    await vi.waitFor(() => expect(isGone?.()).toBe(true), { timeout: 20_000 })
    seen.push('gone true')
    return c.text('')
  })
  app.onError((error, c) => {
    const code = 'code' in error ? String(error.code) : error.message
    seen.push(code)
    return c.text(code, 400)
  })
  server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => void server.close())
beforeEach(() => void seen.splice(0))

async function open(path: string, headers: string): Promise<{ socket: Socket; answer: () => string }> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  await once(socket, 'connect')
  socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`)
  return { socket, answer: () => text }
}

const sees = (what: string) => vi.waitFor(() => expect(seen).toEqual([what]), { timeout: 20_000 })
const chunk = (length: number) => `${length.toString(16)}\r\n${'a'.repeat(length)}\r\n`

test.each([0, 1, 500, 70_000, MOST])('reads a body of %i bytes that comes at once', async (length) => {
  const { socket, answer } = await open('/', `Content-Length: ${length}`)
  socket.write('a'.repeat(length))
  await vi.waitFor(() => expect(answer()).toMatch(new RegExp(`${length} true$`)), { timeout: 20_000 })
  socket.destroy()
})

test('reads a body that comes in pieces, and the next one of the same connection', async () => {
  const { socket, answer } = await open('/', 'Transfer-Encoding: chunked')
  for (const length of [10, 20_000, 1]) {
    await sleep(20)
    socket.write(chunk(length))
  }
  socket.write('0\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\naaa')
  await vi.waitFor(() => expect(answer()).toMatch(/20011 true[\s\S]*\r\n3 true$/), { timeout: 20_000 })
  socket.destroy()
})

test('refuses a body that is announced as too long before any of it comes', async () => {
  const { socket } = await open('/', `Content-Length: ${MOST + 1}`)
  await sees('body_too_large')
  socket.destroy()
})

test.each([
  ['at once', [MOST + 1]],
  ['in pieces', [MOST, 1]],
])('refuses a body that turns out too long %s', async (_, lengths) => {
  const { socket } = await open('/', 'Transfer-Encoding: chunked')
  for (const length of lengths) {
    socket.write(chunk(length))
    await sleep(20)
  }
  socket.write('0\r\n\r\n')
  await sees('body_too_large')
  socket.destroy()
})

test('refuses a body that does not come in time', async () => {
  const { socket } = await open('/', 'Content-Length: 10')
  await sees('body_too_slow')
  socket.destroy()
})

test('gives up a body that breaks off, as the sender’s fault', async () => {
  const { socket } = await open('/', 'Content-Length: 10')
  socket.write('aaa')
  await sleep(50)
  socket.destroy()
  await sees('invalid_json')
})

test.each(['destroy', 'end'] as const)('tells that the caller has gone after its %s', async (how) => {
  const { socket } = await open('/waiting', 'Content-Length: 1')
  socket.write('a')
  await sees('gone false')
  socket[how]()
  await vi.waitFor(() => expect(seen).toEqual(['gone false', 'gone true']), { timeout: 20_000 })
  socket.destroy()
})
