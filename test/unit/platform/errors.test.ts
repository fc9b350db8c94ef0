import { describe, expect, test } from 'vitest'
import { AppError } from '../../../src/platform/app-error.ts'
import { StartError } from '../../../src/platform/start-error.ts'

describe('AppError', () => {
  test('carries its code, what may be shown, and a cause that is only logged', () => {
    const cause = new Error('inside')
    const error = new AppError('instance_limit_reached', 'No seat is free.', {
      facts: { limit: 3, current: 3 },
      fix: 'Deactivate an instance.',
      headers: { 'retry-after': '60' },
      cause,
    })
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe('AppError')
    expect(error.message).toBe('No seat is free.')
    expect({ ...error }).toMatchObject({
      code: 'instance_limit_reached',
      facts: { limit: 3, current: 3 },
      fix: 'Deactivate an instance.',
      headers: { 'retry-after': '60' },
    })
    expect(error.cause).toBe(cause)
    expect(error.stack).toContain('errors.test.ts')
  })

  test('has no members that were not given', () => {
    const error = new AppError('not_found', 'No such license.')
    expect(Object.hasOwn(error, 'cause')).toBe(false)
    expect(error.facts).toBeUndefined()
    expect(error.fix).toBeUndefined()
  })
})

test('a StartError tells the operator what to do', () => {
  const error = new StartError('Port 8081 is taken.', 'Set PORT to a free one.')
  expect(error).toMatchObject({
    name: 'StartError',
    message: 'Port 8081 is taken.',
    fix: 'Set PORT to a free one.',
  })
})
