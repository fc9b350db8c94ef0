// What the SDK makes of its live channel, on the test kit's clock: hints cost little and change nothing by themselves.
import { describe, expect, test } from 'vitest'
import { instanceKey as keyOfServer, publicId } from '../../../src/platform/ids.ts'
import { instanceKey } from '../../../src/sdk/runtime/hash.ts'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { readMessage } from '../../../src/sdk/sync/hint.ts'
import { channelUrl } from '../../../src/sdk/sync/url.ts'
import { DAY, type TestServerOptions, testServer, virtualClock } from '../../../src/sdk/testing/index.ts'

const SECOND = 1000

async function running(more: Partial<TestServerOptions> = {}) {
  const clock = virtualClock()
  const server = await testServer({ clock, features: ['audit_logs'], sync: true, ...more })
  const { host, ...options } = server.options()
  const license = await clock.during(startLicenseOn(host, options))
  await clock.advance(20 * SECOND)
  const asked = () => server.requests.filter(({ endpoint }) => endpoint !== 'key_set').length
  return { clock, server, license, asked, channel: () => license.diagnostics().sync }
}

describe('hints', () => {
  test('a change that is pushed is known at once; without a push, at the next request', async () => {
    const { clock, server, license } = await running()
    server.revoke()
    await clock.advance(SECOND)
    expect(license.state).toBe('ACTIVE')
    server.push()
    await clock.advance(0)
    expect(license).toMatchObject({ state: 'INVALID', reason: 'license_revoked' })
    server.reinstate()
    server.push()
    await clock.advance(SECOND)
    expect(license.state).toBe('ACTIVE')
  })

  test('forged ones change nothing, and cost one request in five seconds however many they are', async () => {
    const { clock, server, license, asked, channel } = await running()
    const before = license.explain().view
    const sent = asked()
    const own = await instanceKey(server.product, license.instanceId)
    for (let ms = 0; ms < 60 * SECOND; ms += 100) {
      server.push({ type: 'action.changed', event: 0, instance: own })
      server.push({ type: 'resync_required', event: 0 })
      server.push({ type: 'keys.changed', event: 0, product: server.product })
      server.push(`{"type":"action.changed","event":1,"instance":"${own}","action":"kill"}`)
      server.push('not JSON')
      server.push(JSON.stringify({ type: 'license.changed', padding: 'x'.repeat(5000) }))
      await clock.advance(100)
    }
    // One more is free since the last signed change, which is the start.
    expect(asked() - sent).toBe(60 / 5 + 1)
    expect(license.explain().view).toEqual(before)
    expect(channel().malformed).toBe(1200)
  })

  test('of somebody else cost nothing', async () => {
    const { clock, server, asked } = await running()
    const sent = asked()
    server.push({ type: 'license.changed', event: 0, license_id: 'lic_of_another' })
    server.push({ type: 'action.changed', event: 0, instance: 'ins_of_another' })
    server.push({ type: 'license.changed', event: 0, license_id: 'any', instance: 'ins_of_another' })
    server.push({ type: 'keys.changed', event: 0, product: 'another' })
    server.push('{"type":"news","event":9}')
    await clock.advance(SECOND)
    expect(asked()).toBe(sent)
  })

  test('that come while a request is in flight cause one more after it', async () => {
    const { clock, server, asked } = await running()
    server.fail('slow', { ms: 2000 })
    const sent = asked()
    for (let i = 0; i < 5; i++) {
      server.push()
      await clock.advance(300)
    }
    expect(asked() - sent).toBe(1)
    await clock.advance(4 * SECOND)
    expect(asked() - sent).toBe(2)
    await clock.advance(30 * SECOND)
    expect(asked() - sent).toBe(2)
  })

  test('give a server that asks for patience what it asks for', async () => {
    const { clock, server, asked } = await running()
    server.fail('busy', { retryAfter: 60 })
    server.push()
    await clock.advance(SECOND)
    const sent = asked()
    for (let i = 0; i < 50; i++) {
      server.push()
      await clock.advance(SECOND)
    }
    expect(asked()).toBe(sent)
    await clock.advance(20 * SECOND)
    expect(asked()).toBeGreaterThan(sent)
  })
})

describe('the connection', () => {
  test('that is cut comes back within five seconds, and a server that is gone is tried each minute', async () => {
    const { clock, server, channel } = await running()
    server.hangUp()
    expect(channel().state).toBe('waiting')
    await clock.advance(5 * SECOND)
    expect(channel().state).toBe('open')
    let tries = 0
    const { host, ...options } = server.options()
    const openSocket = (url: string) => {
      tries += 1
      throw new Error(`no route to ${url}`)
    }
    const other = await clock.during(startLicenseOn({ ...host, openSocket }, { ...options, dataDir: false }))
    await clock.advance(DAY / 24)
    expect(other.state).toBe('ACTIVE')
    expect(tries).toBeGreaterThan(60)
    expect(tries).toBeLessThan(150)
  })

  test('is given up after silence, before the welcome and after it', async () => {
    const { clock, server } = await running()
    const { host, ...options } = server.options()
    const opened: number[] = []
    const silent = { addEventListener() {}, send() {}, close() {} }
    const openSocket = () => {
      opened.push(clock.monotonic())
      return silent
    }
    await clock.during(startLicenseOn({ ...host, openSocket }, { ...options, dataDir: false }))
    await clock.advance(30 * SECOND)
    expect(opened.length).toBeGreaterThan(1)
    expect((opened[1] ?? 0) - (opened[0] ?? 0)).toBeGreaterThanOrEqual(10 * SECOND)
  })

  test('whose credential was refused waits for another one', async () => {
    const { clock, server, channel } = await running()
    server.hangUp(4401)
    await clock.advance(DAY / 24)
    expect(channel().state).toBe('refused')
    server.forgetInstances()
    await clock.advance(2 * DAY)
    expect(channel().state).toBe('open')
  })

  test('is there for the leader alone, and ends with it', async () => {
    const { clock, server, license, channel } = await running()
    const { host, ...options } = server.options()
    const follower = await clock.during(startLicenseOn(host, options))
    await clock.advance(20 * SECOND)
    expect([channel().state, follower.diagnostics().sync.state]).toEqual(['open', 'off'])
    await clock.during(license.stop())
    expect(channel().state).toBe('off')
    await clock.advance(120 * SECOND)
    expect(follower.diagnostics().sync.state).toBe('open')
  })
})

test('names an instance as the server does', async () => {
  for (let i = 0; i < 20; i++) {
    const own = publicId('ins', keyOfServer('keldris', `i-${i}`))
    expect(await instanceKey('keldris', `i-${i}`)).toBe(own)
  }
})

test.each([
  ['wss://l.example.com/api/v1/sync', 'https://l.example.com', true],
  ['https://l.example.com:443/api/v1/sync', 'https://l.example.com/base', true],
  ['wss://l.example.com:8443/s', 'https://l.example.com:8443', true],
  ['ws://127.0.0.1:8081/s', 'http://127.0.0.1:8081', true],
  ['wss://127.0.0.1:8081/s', 'http://127.0.0.1:8081', true],
  ['ws://l.example.com/s', 'https://l.example.com', false],
  ['ws://l.example.com:443/s', 'https://l.example.com', false],
  ['wss://l.example.com:8443/s', 'https://l.example.com', false],
  ['wss://evil.example.com/s', 'https://l.example.com', false],
  ['wss://l.example.com.evil.example/s', 'https://l.example.com', false],
  ['wss://l.example.com@evil.example/s', 'https://l.example.com', false],
  ['wss://me:secret@l.example.com/s', 'https://l.example.com', false],
  ['wss://l.example.com/s?token=x', 'https://l.example.com', false],
  ['wss://l.example.com/s#x', 'https://l.example.com', false],
  ['ftp://l.example.com/s', 'https://l.example.com', false],
  ['nonsense', 'https://l.example.com', false],
  ['/api/v1/sync', 'https://l.example.com', false],
])('a channel at %s of the server %s is used: %s', (offered, server, isUsed) => {
  expect(channelUrl(offered, server) !== null).toBe(isUsed)
})

test.each([
  ['[]', '1', 'null', '{}', '{"type":1}', '{"type":"ping","event":-1}', '{"type":"ping","event":"1"}'],
])('no message: %s', (...texts) => {
  for (const text of [...texts, 7, null, new ArrayBuffer(2)]) expect(readMessage(text)).toBeNull()
})
