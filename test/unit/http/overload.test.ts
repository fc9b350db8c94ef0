import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LOAD_CLASSES, type LoadClass } from '../../../src/http/middleware/load-class.ts'
import { instanceGate, overloadGate, vendorGate } from '../../../src/http/middleware/overload.ts'

const PLACES = 16

/** Lets `count` of a class in until they wait; returns those that came in. */
async function enter(gate: ReturnType<typeof overloadGate>, as: LoadClass, count: number) {
  const inside: (() => void)[] = []
  const answers = Array.from({ length: count }, () => gate.enter(as))
  for (const answer of answers) void answer.then((leave) => leave && inside.push(leave))
  await Promise.resolve()
  await Promise.resolve()
  return inside
}

describe('the gate in front of the database', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('never lets more in than it has places', async () => {
    const gate = overloadGate(PLACES)
    for (const name of LOAD_CLASSES) await enter(gate, name, 100)
    expect(gate.running).toBe(PLACES)
  })

  test.each(LOAD_CLASSES)('keeps places for the others when %s floods it', async (flooding) => {
    const gate = overloadGate(PLACES)
    await enter(gate, flooding, 1000)
    for (const name of LOAD_CLASSES.filter((other) => other !== flooding)) {
      expect((await enter(gate, name, 1)).length).toBe(1)
    }
    expect(gate.running).toBeLessThanOrEqual(PLACES)
  })

  test('bounds who waits, class by class, and refuses the rest at once', async () => {
    const gate = overloadGate(PLACES)
    await enter(gate, 'other', 10_000)
    expect(gate.waiting).toBe(PLACES * 8)
    expect(await gate.enter('other')).toBeNull()
    expect(await gate.enter('life')).not.toBeNull()
  })

  test('lets signs of life in first', async () => {
    const gate = overloadGate(PLACES)
    const [leave] = await enter(gate, 'other', PLACES)
    const order: string[] = []
    for (const name of ['other', 'admin', 'heartbeat', 'life'] as const) {
      for (let i = 0; i < PLACES; i += 1) void gate.enter(name).then(() => order.push(name))
    }
    await vi.advanceTimersByTimeAsync(0)
    order.length = 0
    leave?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(order).toEqual(['life'])
  })

  test('sends away whoever has waited for eight seconds, and keeps no trace of them', async () => {
    const gate = overloadGate(PLACES)
    await enter(gate, 'other', PLACES)
    const waiting = gate.enter('other')
    const before = gate.waiting
    await vi.advanceTimersByTimeAsync(8_000)
    expect(await waiting).toBeNull()
    expect(before).toBeGreaterThan(0)
    expect(gate.waiting).toBe(0)
  })

  test('gives every place back', async () => {
    const gate = overloadGate(PLACES)
    for (let round = 0; round < 3; round += 1) {
      const inside = await enter(gate, 'other', PLACES * 4)
      for (let at = 0; at < inside.length; at += 1) {
        inside[at]?.()
        await vi.advanceTimersByTimeAsync(0)
      }
      expect([gate.running, gate.waiting]).toEqual([0, 0])
    }
  })
})

describe('the gates of a server', () => {
  test('that of instances gives every place to instances', async () => {
    const gate = instanceGate(512)
    await Promise.all(['life', 'heartbeat', 'other'].map((as) => enter(gate, as as LoadClass, 512)))
    expect(gate.running).toBe(512)
  })

  test('that of the vendor gives every place to admins and whoever else asks', async () => {
    const gate = vendorGate(20)
    await enter(gate, 'admin', 20)
    await enter(gate, 'other', 20)
    expect(gate.running).toBe(20)
    expect((await enter(vendorGate(20), 'admin', 20)).length).toBe(15)
  })

  test('tell an instance within five seconds that there is no place for it', async () => {
    vi.useFakeTimers()
    const gate = instanceGate(8)
    await enter(gate, 'life', 8)
    const waiting = gate.enter('life')
    await vi.advanceTimersByTimeAsync(4_000)
    expect(await waiting).toBeNull()
    vi.useRealTimers()
  })

  test('say at once whether there is a place, and let nobody overtake those who wait', async () => {
    const gate = overloadGate(PLACES)
    const [leave] = await enter(gate, 'other', PLACES)
    expect(gate.enterNow('other')).toBeNull()
    leave?.()
    expect(gate.waiting).toBeGreaterThan(0)
    expect(gate.enterNow('other')).toBeNull()
    expect(gate.enterNow('life')).not.toBeNull()
  })
})
