import postgres from 'postgres'
import { expect, test } from 'vitest'
import { requireCorrectedDriver } from '../../../src/db/corrected-driver.ts'

test('the driver that was installed here is corrected', () => {
  expect(() => requireCorrectedDriver(postgres)).not.toThrow()
})

test('a released driver, and one with earlier corrections, is refused with what to run', () => {
  const released = Object.assign(() => {}, { PostgresError: Error })
  for (const driver of [released, Object.assign(released, { corrections: 1 })]) {
    expect(() => requireCorrectedDriver(driver)).toThrow(
      expect.objectContaining({
        name: 'StartError',
        fix: expect.stringContaining('node scripts/patch-postgres.mjs'),
      }),
    )
  }
})
