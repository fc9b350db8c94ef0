import { describe, expect, test } from 'vitest'
import { databaseFault, isDatabaseAway, isDatabaseUnavailable } from '../../../src/db/errors.ts'

/** As the query builder wraps what the driver rejects with. */
const failed = (cause: Error, fields: object = { query: 'select 1' }) =>
  new Error('Failed query', { cause: Object.assign(cause, fields) })

describe('a database that is away', () => {
  test.each<[string, unknown, boolean]>([
    ['a refused connection', failed(new Error('x'), { code: 'ECONNREFUSED' }), true],
    ['a pooler that does not reach it', failed(new Error('x'), { code: '58000' }), true],
    ['a socket of Workers, which has no code', failed(new Error('connection attempt failed')), true],
    ['the same from the driver itself', Object.assign(new Error('lost'), { query: '' }), true],
    ['a lock that somebody else holds', failed(new Error('x'), { code: '55P03' }), false],
    ['a statement that took too long', failed(new Error('x'), { code: '57014' }), false],
    ['a broken constraint', failed(new Error('x'), { code: '23505', query: '' }), false],
    ['a fault in the code that builds a statement', failed(new TypeError('x is not a function')), false],
    ['an error that waited for no statement', new Error('connection attempt failed'), false],
    ['no error at all', 'ECONNREFUSED', false],
  ])('%s', (_, error, away) => {
    expect(isDatabaseAway(error)).toBe(away)
  })
})

describe('a fault of the database', () => {
  test.each<[string, unknown, ReturnType<typeof databaseFault>]>([
    ['a refused connection', failed(new Error('x'), { code: 'ECONNREFUSED' }), 'away'],
    ['a shutdown', failed(new Error('x'), { code: '57P01' }), 'away'],
    ['a lock timeout', failed(new Error('x'), { code: '55P03' }), 'busy'],
    ['a statement timeout', failed(new Error('x'), { code: '57014' }), 'busy'],
    ['a transaction that stood still', failed(new Error('x'), { code: '25P03' }), 'busy'],
    ['a conflict', failed(new Error('x'), { code: '40001' }), 'busy'],
    ['a deadlock', failed(new Error('x'), { code: '40P01' }), 'busy'],
    ['a broken constraint', failed(new Error('x'), { code: '23505' }), 'refused'],
    ['a file that is not there', Object.assign(new Error('x'), { code: 'ENOENT' }), null],
    ['a fault in the code', new TypeError('x is not a function'), null],
  ])('%s', (_, error, fault) => {
    expect(databaseFault(error)).toBe(fault)
    expect(isDatabaseUnavailable(error)).toBe(fault === 'away' || fault === 'busy')
  })
})
