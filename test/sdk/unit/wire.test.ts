import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeHost } from '../../../src/sdk/host/node.ts'
import { readRetryAfter } from '../../../src/sdk/wire/answer.ts'
import { MAX_BODY, sendHttp } from '../../../src/sdk/wire/send.ts'
import { isAllowedUrl } from '../../../src/sdk/wire/url.ts'
import { DAY, HOUR, json, makeWorld, start, warnings } from './support/world.ts'

const MINUTE = 60_000

describe('one request', () => {
  let server: Server
  let url: string
  const seen: string[] = []
  beforeAll(async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, 'a'))
    server = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers.authorization}`)
      switch (request.url) {
        case '/redirect':
          return response.writeHead(302, { Location: `${url}/elsewhere` }).end()
        case '/bomb':
          return response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(bomb)
        case '/torn':
          response.writeHead(200, { 'Content-Length': '100' }).write('{"a":')
          return setTimeout(() => response.destroy(), 5)
        case '/reset':
          return request.socket.destroy()
        case '/slow':
          return response.writeHead(200).write('{')
        case '/endless': {
          response.writeHead(200)
          const more = () => {
            while (!response.destroyed && response.write('x'.repeat(16_384)));
            if (!response.destroyed) response.once('drain', more)
          }
          return more()
        }
        case '/edge':
          return response.end('x'.repeat(MAX_BODY))
        default:
          return response.writeHead(503, { 'Retry-After': '7' }).end('{"ok":1}')
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const send = (path: string, timeout = 5000, stop?: AbortSignal) =>
    sendHttp(
      nodeHost(),
      { method: 'POST', url: `${url}${path}`, bearer: 'secret', body: '{}', timeout },
      stop,
    )

  test('brings status, text and Retry-After', async () => {
    const result = await send('/plain')
    expect(result).toMatchObject({ ok: true, status: 503, text: '{"ok":1}' })
    expect(result.ok && result.headers.get('Retry-After')).toBe('7')
  })

  test('does not follow a redirect, and never shows the Bearer to where it points', async () => {
    expect(await send('/redirect')).toMatchObject({ ok: false, why: expect.stringContaining('redirect') })
    expect(seen.some((line) => line.startsWith('/elsewhere'))).toBe(false)
  })

  test.each(['/bomb', '/endless'])('reads 256 KiB of %s and no more', async (path) => {
    const before = process.memoryUsage().rss
    expect(await send(path)).toMatchObject({ ok: false, why: expect.stringContaining('larger') })
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000)
  })

  test('takes a body of exactly 256 KiB', async () => {
    expect(await send('/edge')).toMatchObject({ ok: true })
  })

  test.each(['/torn', '/reset'])('that is %s is a failure with its cause', async (path) => {
    expect(await send(path)).toMatchObject({
      ok: false,
      why: expect.stringMatching(/terminated|fetch failed|closed/),
    })
  })

  test('ends with its time, body included, and when it is stopped', async () => {
    expect(await send('/slow', 100)).toEqual({ ok: false, why: 'no answer within 100 ms' })
    const stop = new AbortController()
    const sending = send('/slow', 60_000, stop.signal)
    stop.abort()
    expect(await sending).toEqual({ ok: false, why: 'stopped' })
  })
})

describe('an address', () => {
  test.each([
    ['https://license.example.com', true],
    ['http://localhost:8081', true],
    ['http://127.0.0.1:8081', true],
    ['http://127.9.9.9', true],
    ['http://[::1]:8081', true],
    ['http://license.example.com', false],
    ['http://127.0.0.1.example.com', false],
    ['http://localhost.example.com', false],
    ['https://user:secret@example.com', false],
    ['ftp://example.com', false],
    ['file:///etc/passwd', false],
    ['not an address', false],
  ])('%s may be asked: %s', (text, allowed) => {
    expect(isAllowedUrl(text, false)).toBe(allowed)
  })

  test('over plain http may be asked where the vendor allows it', () => {
    expect(isAllowedUrl('http://license.example.com', true)).toBe(true)
    expect(isAllowedUrl('ftp://license.example.com', true)).toBe(false)
  })
})

describe('Retry-After', () => {
  const now = Date.UTC(2026, 2, 1)
  test.each([
    [null, null],
    ['120', 120_000],
    ['999999999', 999_999_999_000],
    ['Sun, 01 Mar 2026 00:01:00 GMT', 60_000],
    ['Sun, 01 Mar 2020 00:00:00 GMT', 0],
    ['soon', null],
    ['-5', null],
    ['9'.repeat(400), null],
  ])('%s is %s ms', (header, ms) => {
    expect(readRetryAfter(header, now)).toBe(ms)
  })
})

describe('the requests of a running product', () => {
  test('carry a fresh nonce each, the chain, and a refresh id that was on disk before', async () => {
    const world = makeWorld()
    world.server.override = (request) => {
      const stored = JSON.parse(world.folder.files.get('state.json') ?? '{}')
      if (request.path.endsWith('/register')) return null
      expect(stored.refresh_id).toBe(request.body.refresh_id)
      return null
    }
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.advance(2 * DAY)
    const sent = world.server.received.map(({ body }) => body)
    expect(new Set(sent.map(({ nonce }) => nonce)).size).toBe(sent.length)
    for (const { nonce } of sent) expect(nonce).toMatch(/^[A-Za-z0-9_-]{16,64}$/)
    const chained = sent.filter(({ refresh_id }) => refresh_id !== undefined)
    expect(new Set(chained.map(({ refresh_id }) => refresh_id)).size).toBe(chained.length)
    expect(chained.slice(1).every(({ refresh_token }) => /^rt\d+$/.test(refresh_token))).toBe(true)
    expect(license.state).toBe('ACTIVE')
  })

  test('repeat the refresh id until an answer has come, also after a crash', async () => {
    const world = makeWorld()
    await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    const ids: string[] = []
    world.server.override = ({ body, path }) => {
      if (!path.endsWith('/register')) ids.push(`${body.refresh_token} ${body.refresh_id}`)
      return 'refuse'
    }
    await world.time.advance(DAY)
    world.kill()
    await start(world, { apiKey: 'sk-1' })
    await world.time.advance(HOUR)
    expect(ids.length).toBeGreaterThan(10)
    expect(new Set(ids).size).toBe(1)
  })

  test('never go out two at a time', async () => {
    const world = makeWorld()
    let open = 0
    let most = 0
    const host = world.host()
    const { fetch } = host
    host.fetch = async (url, init) => {
      most = Math.max(most, ++open)
      return fetch(url, init).finally(() => open--)
    }
    const { license } = await start({ ...world, host: () => host }, { apiKey: 'sk-1' })
    await Promise.all([license.refreshNow(), license.refreshNow(), world.time.advance(2 * DAY)])
    expect(most).toBe(1)
    expect(world.server.received.length).toBeGreaterThan(8)
  })

  test('wait as long as Retry-After says, but no longer than an hour', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    world.server.override = () => json({ error: 'rate_limited' }, 429, { 'Retry-After': '999999999' })
    await license.refreshNow()
    const asked = world.server.received.length
    await world.time.advance(59 * MINUTE)
    expect(world.server.received).toHaveLength(asked)
    world.server.override = null
    await world.time.advance(2 * MINUTE)
    expect(world.server.received.length).toBeGreaterThan(asked)
  })

  test('to a dead server back off, and are not multiplied by the number of things to ask', async () => {
    const world = makeWorld()
    await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    let asked = 0
    world.server.override = () => {
      asked++
      return 'refuse'
    }
    await world.time.advance(3 * DAY)
    expect(asked).toBeGreaterThan(60)
    expect(asked).toBeLessThan(200)
  })

  test('an answer in HTML is no answer', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    world.server.override = () => new Response('<html>Log in</html>', { status: 200 })
    await license.refreshNow()
    expect(license.state).toBe('ACTIVE')
    expect(warnings(world).join()).toContain('not the JSON of a license server')
  })

  test('a forged line does not reach the log', async () => {
    const world = makeWorld()
    world.server.override = () =>
      json({ error: 'x', message: 'no\n[license] ERROR all is lost\u001b[31m' }, 400)
    await start(world, { apiKey: 'sk-1' })
    expect(world.lines.every((line) => !line.includes('\n') && !line.includes('\u001b'))).toBe(true)
  })

  test('on an unknown instance token register again with the proof of license, at most hourly', async () => {
    const world = makeWorld()
    await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    world.server.received.length = 0
    let valid = 'lit_2'
    world.server.override = ({ bearer, path }) => {
      if (path.endsWith('/heartbeat') && bearer !== valid)
        return json({ error: 'instance_token_unknown' }, 401)
      if (path.endsWith('/register') && bearer === 'sk-1')
        return json({ status: 'registered', instance_token: valid })
      return null
    }
    await world.time.advance(7 * HOUR)
    expect(world.server.last('register')?.bearer).toBe('sk-1')
    expect(world.server.last('heartbeat')?.bearer).toBe('lit_2')

    valid = 'never'
    world.server.override = ({ path, body }) =>
      /heartbeat|register/.test(path) || body.instance_token
        ? json({ error: 'instance_token_unknown' }, 401)
        : null
    world.server.received.length = 0
    await world.time.advance(DAY)
    expect(world.server.paths().filter((path) => path === 'register').length).toBeLessThanOrEqual(25)
  })

  test('a license key proves itself by an activation without the token', async () => {
    const world = makeWorld()
    const { license } = await start(world, { licenseKey: world.server.licenseKey() })
    await world.time.settle()
    world.server.received.length = 0
    world.server.override = ({ path, bearer }) => {
      if (/validate|register/.test(path) && bearer === 'lit_1')
        return json({ error: 'instance_token_unknown' }, 401)
      if (path.endsWith('/activate')) expect(bearer).toBeNull()
      return null
    }
    await world.time.advance(13 * HOUR)
    expect(world.server.paths()).toContain('activate')
    expect(license.state).toBe('ACTIVE')
  })
})
