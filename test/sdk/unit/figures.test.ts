import { describe, expect, test } from 'vitest'
import { makeWorld, start } from './support/world.ts'

const ROUNDS = 2_000_000

/** Nanoseconds for one call, the best of five runs. */
function cost(call: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  let sink = 0
  for (let run = 0; run < 5; run++) {
    const began = performance.now()
    for (let i = 0; i < ROUNDS; i++) if (call()) sink++
    best = Math.min(best, ((performance.now() - began) / ROUNDS) * 1e6)
  }
  expect(sink).toBeGreaterThanOrEqual(0)
  return best
}

describe('the price of asking', () => {
  // The figures are printed; the bound tells a look-up from a promise or a signature, on a machine however busy.
  test('has, limit and tier are look-ups', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    const figures = {
      'has (granted)': cost(() => license.has('audit_logs')),
      'has (not granted)': cost(() => license.has('white_label')),
      limit: cost(() => license.limit('max_agents')),
      tier: cost(() => license.tier),
      state: cost(() => license.state),
    }
    for (const [name, ns] of Object.entries(figures)) {
      process.stdout.write(`${name}: ${ns.toFixed(1)} ns\n`)
      expect(ns).toBeLessThan(2000)
    }
  })

  test('a start from the cache takes milliseconds', async () => {
    const world = makeWorld()
    await (await start(world, { apiKey: 'sk-1' })).license.stop()
    world.server.down = true
    const { startLicenseOn } = await import('../../../src/sdk/start.ts')
    const began = performance.now()
    const license = await startLicenseOn(world.host(), world.options({ apiKey: 'sk-1' }))
    process.stdout.write(`start from cache: ${(performance.now() - began).toFixed(1)} ms\n`)
    expect(license.source).toBe('cache')
  })
})
