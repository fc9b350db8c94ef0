import { describe, expect, test } from 'vitest'
import { isDatabaseAway } from '../../../src/db/errors.ts'

/** As the query builder wraps what the driver rejects with. */
const failed = (cause: Error, fields: object = { query: 'select 1' }) =>
  new Error('Failed query', { cause: Object.assign(cause, fields) })

describe('a database that is away', () => {
  test.each<[string, unknown, boolean]>([
    ['a refused connection', failed(new Error('x'), { code: 'ECONNREFUSED' }), true],
    ['a pooler that does not reach it', failed(new Error('x'), { code: '58000' }), true],
    ['a socket of Workers, which has no code', failed(new Error('connection attempt failed')), true],
    ['the same from the driver itself', Object.assign(new Error('lost'), { query: '' }), true],
    ['a broken constraint', failed(new Error('x'), { code: '23505', query: '' }), false],
    ['a fault in the code that builds a statement', failed(new TypeError('x is not a function')), false],
    ['an error that waited for no statement', new Error('connection attempt failed'), false],
    ['no error at all', 'ECONNREFUSED', false],
  ])('%s', (_, error, away) => {
    expect(isDatabaseAway(error)).toBe(away)
  })
})
