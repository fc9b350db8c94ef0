// What can be held true of deploy/ without a container engine: it names nothing that is not there.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { settingsTable } from '../../src/config/schema.ts'
import { serverMetrics } from '../../src/server/metrics.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const deployed = (name: string) => readFileSync(join(ROOT, 'deploy', name), 'utf8')
const settings = new Set<string>(settingsTable().map(({ name }) => name))

describe('the Dockerfile', () => {
  const text = deployed('Dockerfile')
  const copies = [...text.matchAll(/^COPY (?!--from)(.+)$/gm)].map(([, words = '']) =>
    words.split(' ').slice(0, -1),
  )

  test('copies what is there', () => {
    expect(copies.flat().length).toBeGreaterThan(5)
    expect(copies.flat().filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  test('takes everything along that the server reads at run time, and no root', () => {
    const kept = text.slice(text.lastIndexOf('FROM'))
    for (const part of ['node_modules', 'dist', 'package.json', 'drizzle', 'bin'])
      expect(kept).toContain(part)
    expect(kept).toMatch(/^USER node$/m)
  })

  test('sets settings that exist', () => {
    const set = [...text.matchAll(/\b(LEASEHOLD_[A-Z_]+)=/g)].map(([, name = '']) => name)
    expect(set.filter((name) => !settings.has(name))).toEqual([])
  })
})

describe('the compose file', () => {
  test('gives the server settings that exist, and every secret by name', () => {
    const text = deployed('compose.yaml')
    const server = text.slice(text.indexOf('  server:'))
    const names = [...server.matchAll(/^ {6}([A-Z_]+): /gm)].map(([, name = '']) => name)
    expect(names).toContain('LEASEHOLD_MASTER_KEY')
    expect(names.filter((name) => !settings.has(name))).toEqual([])
    expect(text).not.toMatch(/PASSWORD: [^$]/)
  })
})

describe('the systemd unit', () => {
  test('starts what the build writes, as nobody of importance', () => {
    const text = deployed('leasehold.service')
    expect(text).toMatch(/^ExecStart=\/usr\/bin\/env node dist\/node\.js$/m)
    expect(statSync(join(ROOT, 'src/node.ts')).isFile()).toBe(true)
    for (const line of ['User=leasehold', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'UMask=0077']) {
      expect(text.split('\n')).toContain(line)
    }
  })
})

describe('the Grafana board', () => {
  const board = JSON.parse(deployed('grafana-board.json')) as {
    panels: { targets: { expr: string }[]; gridPos: { x: number; y: number; w: number; h: number } }[]
  }
  const expressions = board.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

  test('asks for metrics that the server has', async () => {
    const known = await namesOfMetrics()
    const asked = expressions.flatMap(
      (expr) => expr.match(/\b(?:leasehold|process|nodejs)_[a-z0-9_]+/g) ?? [],
    )
    expect(asked.length).toBeGreaterThanOrEqual(expressions.length)
    expect(asked.filter((name) => !known.has(name.replace(/_(bucket|count|sum)$/, '')))).toEqual([])
  })

  test('lays no panel over another', () => {
    const cells = board.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
  })
})

/** Of the server's own registry, and the one that the requests' middleware adds. */
async function namesOfMetrics(): Promise<Set<string>> {
  const { metricsText } = serverMetrics({
    services: {} as never,
    watchdog: { answers: async () => false } as never,
    version: '0',
    poolSize: 1,
  })
  const { text } = await metricsText()
  const found = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name)
  const requests = readFileSync(join(ROOT, 'src/http/middleware/access-log.ts'), 'utf8')
  return new Set([...found, ...(requests.match(/leasehold_[a-z_]+/g) ?? [])])
}
