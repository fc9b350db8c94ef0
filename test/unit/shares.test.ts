import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { loadSettings } from '../../src/config/settings.ts'
import { connectionsOf, processCount, shareOf } from '../../src/server/shares.ts'

const settings = (env: Record<string, string> = {}) => loadSettings(env)

test('one process serves the embedded database; auto is one for each core, and not more than 12', () => {
  expect(processCount(settings())).toBe(1)
  expect(processCount(settings({ LEASEHOLD_PROCESSES: '5' }))).toBe(5)
  const auto = processCount(settings({ LEASEHOLD_PROCESSES: 'auto' }))
  expect(auto).toBe(Math.min(12, availableParallelism()))
})

test('connections and rates are divided, rounded up, and what is off stays off', () => {
  const whole = settings({
    LEASEHOLD_POOL_SIZE: '20',
    LEASEHOLD_RATE_LIMITS: '100/min',
    LEASEHOLD_CREDENTIAL_RATE_LIMIT: 'off',
  })
  expect(shareOf(whole, 3)).toEqual({ ...whole, poolSize: 7, rateLimit: { perMinute: 34 } })
  expect(shareOf(whole, 1)).toEqual(whole)
})

test('each has five connections at least, unless fewer in all were asked for', () => {
  expect(shareOf(settings(), 16).poolSize).toBe(5)
  expect(shareOf(settings({ LEASEHOLD_POOL_SIZE: '1' }), 16).poolSize).toBe(1)
})

test('twelve processes leave room in the hundred connections that PostgreSQL allows', () => {
  expect(connectionsOf(settings())).toBe(12)
  expect(connectionsOf(settings({ LEASEHOLD_PROCESSES: '2' }))).toBe(18)
  expect(connectionsOf(settings({ LEASEHOLD_PROCESSES: '12' }))).toBeLessThan(90)
})
