import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makePair } from '../../unit/license/fixtures.ts'
import { type Answer, json, makeWorld, type Received, start, type World } from './support/world.ts'

/** Answers that someone between product and server may give; none of them carries a word that the server has signed now. */
function hostileAnswers(
  world: World,
  stale: { jwt: string; directive: string },
): fc.Arbitrary<(request: Received) => Answer> {
  const evil = makePair()
  const own = world.server.controlPair
  const forgedDirective = (request: Received) => {
    world.server.controlPair = evil
    const directive = world.server.directiveFor(request.body, { action: 'kill', status: 'revoked' })
    world.server.controlPair = own
    return directive
  }
  const text = fc.string({ maxLength: 300 })
  const status = fc
    .integer({ min: 200, max: 599 })
    .filter((code) => code !== 204 && code !== 205 && code !== 304)
  return fc.oneof(
    fc.constant(() => 'refuse' as const),
    fc.tuple(text, status).map(
      ([body, code]) =>
        () =>
          new Response(body, { status: code }),
    ),
    fc.tuple(fc.jsonValue(), status).map(
      ([body, code]) =>
        () =>
          json(body, code),
    ),
    fc
      .constantFrom(301, 302, 307, 308)
      .map(
        (code) => () => new Response(null, { status: code, headers: { Location: 'https://evil.example' } }),
      ),
    fc
      .constantFrom('999999999', '-1', '1e99', 'Fri, 31 Dec 9999 23:59:59 GMT', 'x')
      .map((value) => () => json({}, 503, { 'Retry-After': value })),
    fc
      .constantFrom(315_360_000, -1, 0, 1e308, null, 'often', {})
      .map(
        (interval) => () =>
          json({ status: 'ok', config: { heartbeat_interval: interval, refresh_interval: interval } }),
      ),
    fc.constant(
      () =>
        new Response('<html>Sign in to the hotel network</html>', {
          headers: { 'Content-Type': 'text/html' },
        }),
    ),
    fc.constant(() => new Response('{"a":"'.padEnd(300_000, 'x'))),
    fc.constant(() => new Response(gzipSync(Buffer.alloc(1000)))),
    fc.constant(() =>
      json({ error: 'license_revoked', status: 'revoked', action: 'kill', killed: true }, 403),
    ),
    fc.constant(() => json({ jwt: stale.jwt.replace(/.$/, 'A'), directive: stale.directive })),
    fc.constant(() => json({ status: 'revoked', reason: 'license_revoked', directive: stale.directive })),
    fc.constant((request: Received) => json({ directive: forgedDirective(request) }, 403)),
    fc.constant((request: Received) =>
      json({
        jwt: world.server.jwt({ instance_id: request.body.instance_id, features: ['everything'] }, evil),
      }),
    ),
    fc.constant(() =>
      json({ refresh_token: 'x'.repeat(100_000), instance_token: '\r\nX: y', entitlement_token: 5 }),
    ),
    fc.constant(() => json(JSON.parse('{"__proto__":{"directive":"x"},"constructor":{"prototype":{}}}'))),
    fc.constant(() => json({ jwt: `${'['.repeat(50_000)}`, directive: 'a.b.c' })),
  )
}

describe('a hostile network', () => {
  test('a thousand hostile answers change no feature, throw nothing, and leave memory alone', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    const seen = world.server.received[0]
    const stale = {
      jwt: world.server.jwt(),
      directive: world.server.directiveFor(seen?.body, { action: 'kill' }),
    }
    const features = license.explain().features.map(({ name }) => name)
    const answers = fc.sample(hostileAnswers(world, stale), { numRuns: 1000, seed: 42 })
    const uncaught: unknown[] = []
    const note = (error: unknown) => uncaught.push(error)
    process.on('uncaughtException', note).on('unhandledRejection', note)
    let next = 0
    world.server.override = (request) => answers[next++ % answers.length]?.(request) ?? null
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    let changes = 0
    license.on('change', () => changes++)
    while (next < 1000) await license.refreshNow()
    process.off('uncaughtException', note).off('unhandledRejection', note)
    globalThis.gc?.()
    expect(uncaught).toEqual([])
    expect(changes).toBe(0)
    expect(license.explain().features.map(({ name }) => name)).toEqual(features)
    expect(license).toMatchObject({ state: 'ACTIVE', killed: false, downgraded: false })
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000)
    expect(world.folder.files.get('state.json')?.length).toBeLessThan(10_000)

    world.server.override = null
    await license.refreshNow()
    expect(license.diagnostics().lastFailure).toBeNull()
  }, 120_000)
})
