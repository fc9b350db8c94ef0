import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Numbers } from '../../../src/sdk/options.ts'
import { DAY, makeWorld, start, warnings } from './support/world.ts'

const unhandled: unknown[] = []
const note = (error: unknown) => unhandled.push(error)

beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(() => {
  process.off('unhandledRejection', note)
})

/** Rejections are told of a turn after they were made. */
const turns = async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A promise that is none of this realm's. */
const thenable = (reason: unknown) =>
  Object.create(null, {
    // biome-ignore lint/suspicious/noThenProperty: that is what it is about.
    then: { value: (_resolve: unknown, reject: (error: unknown) => void) => reject(reason) },
  })

describe('what the product hands in', () => {
  test.each([
    ['an async function', () => Promise.reject(new Error('log is full'))],
    ['a thenable', () => thenable(new Error('log is full'))],
    [
      'a getter that throws',
      () =>
        Object.defineProperty({}, 'then', {
          get() {
            throw new Error('no')
          },
        }),
    ],
  ])('as a logger may reject: %s', async (_what, write) => {
    const world = makeWorld()
    const log = { info: write, warn: write, error: write }
    const { license } = await start(world, { apiKey: 'sk-1', log })
    world.server.down = true
    await license.refreshNow()
    await world.time.advance(2 * DAY)
    await license.stop()
    await turns()
    expect(unhandled).toEqual([])
  })

  test('as a listener may reject or throw anything', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    const wordless = Object.create(null)
    license.on('change', () => thenable(wordless))
    license.on('change', () => {
      throw wordless
    })
    world.server.directive = { action: 'kill' }
    await license.refreshNow()
    await turns()
    expect(license.killed).toBe(true)
    expect(unhandled).toEqual([])
    expect(world.lines.filter((line) => line.startsWith('error '))).toHaveLength(2)
  })

  const throwing = (): Numbers =>
    Object.defineProperty({ fine: 1 }, 'broken', {
      enumerable: true,
      get() {
        throw new Error('no number today')
      },
    })

  test.each([
    ['throws at a getter', throwing],
    ['throws at a getter, later', async () => throwing()],
    ['rejects', () => Promise.reject(new Error('no number today'))],
    ['is a thenable that rejects', () => thenable(new Error('no number today'))],
    ['throws something without words', () => Promise.reject(Object.create(null))],
  ])('as a callback of numbers costs the numbers alone: one that %s', async (_what, usage) => {
    const world = makeWorld()
    await start(world, { apiKey: 'sk-1', usage, telemetry: usage })
    await world.time.settle()
    await turns()
    const body = world.server.last('heartbeat')?.body
    expect(body?.metrics).toMatchObject({ uptime_hours: expect.any(Number) })
    expect(body?.metrics).not.toHaveProperty('fine')
    expect(warnings(world)).toHaveLength(2)
    expect(warnings(world).every((line) => line.includes('callback failed'))).toBe(true)
    expect(unhandled).toEqual([])
  })

  test('as the name of a limit is warned of once, a hundred of them at most', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1000; i++) expect(license.limit(`unknown_${i}`)).toBe(0)
    }
    expect(warnings(world)).toHaveLength(100)
  })
})
