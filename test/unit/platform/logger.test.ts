import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { Logger, LogLevel } from '../../../src/platform/logger.ts'
import { consoleLogger } from '../../../src/platform/logger-console.ts'
import { pinoLogger } from '../../../src/platform/logger-pino.ts'
import { virtualClock } from '../../support/virtual-clock.ts'

type Make = (level: LogLevel) => { logger: Logger; lines: () => Record<string, unknown>[] }

const viaPino: Make = (level) => {
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  return { logger: pinoLogger({ level, stream }), lines: () => parse(text.split('\n')) }
}

const viaConsole: Make = (level) => {
  const written: string[] = []
  const write = (_: string, line: string) => written.push(line)
  return { logger: consoleLogger({ level, write, clock: virtualClock() }), lines: () => parse(written) }
}

function parse(lines: readonly string[]): Record<string, unknown>[] {
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
}

describe.each([
  ['pino', viaPino],
  ['the console', viaConsole],
])('a logger through %s', (_, make) => {
  test('writes one JSON line with level, time, fields and message', () => {
    const { logger, lines } = make('info')
    logger.warn({ route: '/healthz', status: 200 }, 'request')
    expect(lines()).toHaveLength(1)
    expect(lines()[0]).toMatchObject({ level: 'warn', route: '/healthz', status: 200, msg: 'request' })
    expect(lines()[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('leaves out what is less severe than its level', () => {
    const { logger, lines } = make('warn')
    logger.debug({}, 'a')
    logger.info({}, 'b')
    logger.warn({}, 'c')
    logger.error({}, 'd')
    expect(lines().map((line) => line.msg)).toEqual(['c', 'd'])
  })

  test('writes nothing when silent', () => {
    const { logger, lines } = make('silent')
    logger.error({}, 'x')
    expect(lines()).toEqual([])
  })

  test('a child adds its fields to every line, its own children keep them', () => {
    const { logger, lines } = make('debug')
    logger.child({ request_id: 'req_1' }).child({ actor: 'admin' }).debug({ ms: 3 }, 'done')
    logger.info({}, 'plain')
    expect(lines()[0]).toMatchObject({ request_id: 'req_1', actor: 'admin', ms: 3 })
    expect(lines()[1]).not.toHaveProperty('request_id')
  })

  test('lets no secret through: not in fields, not in a child, not in the message', () => {
    const { logger, lines } = make('info')
    const jwt = 'eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl'
    logger.child({ api_key: 'hidden-1', note: jwt }).error({ deep: [{ token: 'hidden-2' }] }, `got ${jwt}`)
    const line = JSON.stringify(lines())
    expect(line).not.toContain('hidden')
    expect(line).not.toContain('c2lnbmF0dXJl')
    expect(line).toContain('got [redacted]')
  })
})
