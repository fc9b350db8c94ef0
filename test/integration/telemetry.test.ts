import { parse } from 'csv-parse/sync'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TelemetrySeries } from '../../src/contract/admin-telemetry.schema.ts'
import { encodeCursor } from '../../src/domain/kernel/paging.ts'
import { rollUpReports } from '../../src/domain/telemetry/roll-up.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { type GivenReport, reportWriter } from '../support/reports.ts'
import { withRole } from '../support/roles.ts'
import { createWorld, type World } from '../support/world.ts'

const never = new AbortController().signal
let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ startAt: '2026-03-01T12:00:00Z' })
})
afterAll(() => app.stop())

const rollUp = () => rollUpReports(app.ctx, never)
const read = (query: string) => app.admin('GET', `/telemetry?${query}`)
let worlds = 0

/** A product of its own, how it is reported on, and what its series say in short. */
async function fleet() {
  worlds += 1
  const world: World = await createWorld(app, { product: `fleet-${worlds}` })
  const report = await reportWriter(app, world.product)
  const rows = async (query: string) => (await read(`product=${world.product}&${query}`)).body.rows
  return { world, report, rows }
}

const agents = (value: number, more: GivenReport = {}): GivenReport => ({
  metrics: { agent_count: value },
  ...more,
})
const queries = (increase: number, more: GivenReport = {}): GivenReport => ({
  metrics: { queries_total: 1000 },
  increases: { queries_total: increase },
  ...more,
})

describe('the series of a metric', () => {
  test('sums what counters grew by, and tells the average and highest value of gauges', async () => {
    const { report, rows } = await fleet()
    await report(queries(100), queries(30), agents(4), agents(6), agents(5))
    expect(await rollUp()).toEqual({ reports: 5 })
    const none = { increase: 0, average: null, maximum: null, samples: 0, instances: 0 }
    expect(await rows('metric=queries_total')).toEqual([
      {
        ...{ bucket: '2026-03-01T00:00:00Z', group: null },
        ...{ increase: 130, average: null, maximum: null, samples: 2, instances: 2, verified: none },
      },
    ])
    expect(await rows('metric=agent_count')).toMatchObject([
      {
        increase: null,
        average: 5,
        maximum: 6,
        samples: 3,
        instances: 3,
        verified: { average: null, maximum: null },
      },
    ])
  })

  test('keeps apart what came with a proof', async () => {
    const { report, rows } = await fleet()
    await report(queries(100, { instance: 'a' }), queries(1, { instance: 'a', proof: 'instance' }))
    await report(agents(900), agents(2, { proof: 'license' }))
    await rollUp()
    await report(queries(5, { instance: 'a', proof: 'license' }), queries(5, { instance: 'a' }))
    await rollUp()
    expect(await rows('metric=queries_total')).toMatchObject([
      { increase: 111, samples: 4, instances: 1, verified: { increase: 6, samples: 2, instances: 1 } },
    ])
    expect(await rows('metric=agent_count')).toMatchObject([
      { average: 451, maximum: 900, instances: 2, verified: { average: 2, maximum: 2, instances: 1 } },
    ])
  })

  test('goes by the hour and day in which a report was observed, and counts an instance once in each', async () => {
    const { report, rows } = await fleet()
    const at = (observedAt: string) => queries(1, { instance: 'a', observedAt })
    await report(at('2026-02-28T23:59:59Z'), at('2026-03-01T10:00:00Z'))
    await rollUp()
    await report(at('2026-03-01T10:59:59.999Z'), at('2026-03-01T11:00:00Z'), queries(1))
    await rollUp()
    const short = (found: Record<string, unknown>[]) =>
      found.map(({ bucket, increase, instances }) => [bucket, increase, instances])
    expect(short(await rows('metric=queries_total'))).toEqual([
      ['2026-02-28T00:00:00Z', 1, 1],
      ['2026-03-01T00:00:00Z', 4, 2],
    ])
    expect(short(await rows('metric=queries_total&bucket=hour'))).toEqual([
      ['2026-02-28T23:00:00Z', 1, 1],
      ['2026-03-01T10:00:00Z', 2, 1],
      ['2026-03-01T11:00:00Z', 1, 1],
      ['2026-03-01T12:00:00Z', 1, 1],
    ])
    expect(
      short(await rows('metric=queries_total&bucket=hour&from=2026-03-01T10:30:00Z&to=2026-03-01T11:00:00Z')),
    ).toEqual([['2026-03-01T10:00:00Z', 2, 1]])
  })

  test('is divided by version, tier or license', async () => {
    const { world, report, rows } = await fleet()
    const license = world.licenseId
    await report(
      queries(1, { instance: 'a', license }),
      queries(2, { instance: 'a', license, version: '2.0' }),
      queries(4, { instance: 'b', tier: 'free', version: null }),
    )
    await rollUp()
    const groups = async (by: string) =>
      (await rows(`metric=queries_total&group_by=${by}`)).map((row: Record<string, unknown>) => [
        row.group,
        row.increase,
        row.instances,
      ])
    expect(await groups('version')).toEqual([
      [null, 4, 1],
      ['1.0', 1, 1],
      ['2.0', 2, 1],
    ])
    expect(await groups('tier')).toEqual([
      ['free', 4, 1],
      ['pro', 3, 1],
    ])
    expect(await groups('license')).toEqual([
      [null, 4, 1],
      [license, 3, 1],
    ])
  })

  test('leaves out metrics that the product does not name', async () => {
    const { world, report } = await fleet()
    await report({ metrics: { unheard_of: 5 } })
    expect(await rollUp()).toEqual({ reports: 1 })
    const { status, body } = await read(`product=${world.product}&metric=unheard_of`)
    expect([status, body.reason, body.metrics, body.fix]).toEqual([
      422,
      'metric_unknown',
      ['agent_count', 'queries_total'],
      'Ask for one of agent_count, queries_total.',
    ])
  })

  test('says until when it is complete', async () => {
    const { world, report } = await fleet()
    const until = async () => {
      const { body, headers } = await read(`product=${world.product}&metric=agent_count`)
      expect(headers.get('Complete-Until')).toBe(body.complete_until)
      return body.complete_until
    }
    await report(agents(1))
    app.clock.advance(90_500)
    expect(await until()).toBe('2026-03-01T12:00:00Z')
    await rollUp()
    expect(await until()).toBe('2026-03-01T12:01:30.500Z')
  })
})

describe('the roll-up', () => {
  test('counts each report and each instance once, however often and by how many it is run', async () => {
    const { report, rows } = await fleet()
    await report(...Array.from({ length: 40 }, (_, n) => agents(1, { instance: `i${n % 8}` })))
    await Promise.all([1, 2, 3, 4].map(rollUp))
    expect(await rollUp()).toBeNull()
    await report(agents(10, { instance: 'i0' }), agents(10, { instance: 'new' }))
    await Promise.all([1, 2].map(rollUp))
    expect(await rows('metric=agent_count')).toMatchObject([{ maximum: 10, samples: 42, instances: 9 }])
  })

  test('leaves no report behind when there are more than fit in one statement', async () => {
    const { report, rows } = await fleet()
    for (let n = 0; n < 3; n++)
      await report(...Array.from({ length: 4000 }, () => queries(2, { instance: 'same' })))
    expect(await rollUp()).toEqual({ reports: 12_000 })
    expect(await rows('metric=queries_total')).toMatchObject([
      { increase: 24_000, samples: 12_000, instances: 1 },
    ])
  })

  test('gives a stranger’s thousand versions fifty rows, and never a proven one’s', async () => {
    const { world, report, rows } = await fleet()
    const strangers = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => queries(1, { version: `junk-${from + n}` }))
    await report(...strangers(0, 500), queries(1, { version: '3.1' }), queries(1, { version: '3.1' }))
    await rollUp()
    await report(...strangers(500, 500), ...strangers(0, 1), queries(7, { version: '4.0', proof: 'license' }))
    await rollUp()
    const found: { group: string; increase: number }[] = await rows('metric=queries_total&group_by=version')
    expect(found).toHaveLength(52)
    const of = (group: string) => found.find((row) => row.group === group)?.increase
    expect([of('3.1'), of('4.0'), of('junk-0'), of('other')]).toEqual([2, 7, 2, 1000 - 49])
    const named = await app.services.db.execute(sql`
      select 1 from telemetry_versions v join products p on p.id = v.product_id where p.code = ${world.product}`)
    expect(named).toHaveLength(51)
  })

  test('takes what the instances really send', async () => {
    const { world, rows } = await fleet()
    const beat = (queries_total: number) =>
      app.call('POST', '/api/v1/instances/heartbeat', {
        body: {
          instance_id: 'real',
          product: world.product,
          reported_tier: 'free',
          has_valid_entitlement: false,
          metrics: { queries_total, agent_count: 3, server_version: '9.9' },
        },
      })
    for (const total of [10, 25, 5]) expect((await beat(total)).status).toBe(200)
    await rollUp()
    expect(await rows('metric=queries_total&group_by=version')).toMatchObject([
      { group: '9.9', increase: 30, samples: 3, instances: 1 },
    ])
  })
})

describe('as CSV', () => {
  const csv = (query: string, accept = 'text/csv') =>
    app.call('GET', `/api/v1/admin/telemetry?${query}`, { bearer: app.adminKey, headers: { Accept: accept } })

  test('it holds the same numbers, one line a row', async () => {
    const { world, report, rows } = await fleet()
    await report(agents(-3, { version: '1.0' }), agents(4, { version: '2.0, "final"', proof: 'license' }))
    await rollUp()
    const query = 'metric=agent_count&group_by=version'
    const { headers, text } = await csv(`product=${world.product}&${query}`)
    expect(headers.get('Content-Type')).toBe('text/csv; charset=utf-8; header=present')
    expect(headers.get('Vary')).toContain('Accept')
    expect(text.split('\r\n')[0]).toMatch(
      /^bucket,version,increase,average,maximum,samples,instances,verified_/,
    )
    const records: Record<string, string>[] = parse(text, { columns: true })
    const asked: { group: string; average: number; verified: { average: number | null } }[] =
      await rows(query)
    expect(records.map((record) => [record.version, record.average, record.verified_average])).toEqual(
      asked.map((row) => [row.group, String(row.average), String(row.verified.average ?? '')]),
    )
    expect(records.map(({ average }) => average)).toEqual(['-3', '4'])
  })

  test('a version that a spreadsheet would calculate is defused', async () => {
    const { world, report } = await fleet()
    const evil = ['=HYPERLINK("http://x","y")', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1']
    await report(...evil.map((version) => agents(1, { version })))
    await rollUp()
    const { text } = await csv(`product=${world.product}&metric=agent_count&group_by=version`)
    const records: Record<string, string>[] = parse(text, { columns: true })
    expect(records.map(({ version }) => version).sort()).toEqual(evil.map((version) => `'${version}`).sort())
  })

  test.each([
    ['text/csv', 'text/csv'],
    ['text/*', 'text/csv'],
    ['application/json;q=0.5, text/csv', 'text/csv'],
    ['text/csv;q=0.5, application/json', 'application/json'],
    ['text/csv;q=0, */*', 'application/json'],
    ['*/*', 'application/json'],
    ['image/png', 'application/json'],
  ])('%s gets %s', async (accept, type) => {
    const { headers } = await csv('product=fleet-1&metric=agent_count', accept)
    expect([headers.get('Content-Type')?.split(';')[0], headers.get('Vary')]).toEqual([type, 'Accept'])
  })
})

describe('a question', () => {
  test.each([
    ['400 days by day', 'from=2025-01-26T00:00:00Z&to=2026-03-02T00:00:00Z', 200],
    ['401 days by day', 'from=2025-01-25T00:00:00Z&to=2026-03-02T00:00:00Z', 422],
    ['31 days by hour', 'bucket=hour&from=2026-01-29T00:00:00Z&to=2026-03-01T00:00:00Z', 200],
    ['an hour more', 'bucket=hour&from=2026-01-28T23:59:59Z&to=2026-03-01T00:00:00Z', 422],
    ['a range that ends before it begins', 'from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', 422],
    ['an unknown group', 'group_by=os', 422],
    ['an unknown bucket', 'bucket=week', 422],
    ['an unknown parameter', 'metrc=x', 422],
  ])('of %s', async (_, query, status) => {
    expect((await read(`product=fleet-1&metric=agent_count&${query}`)).status).toBe(status)
  })

  test('of a product that is not there, and of one without the role', async () => {
    const { status, body } = await read('product=nothing&metric=agent_count')
    expect([status, body.error]).toEqual([404, 'product_unknown'])
    expect(
      (await (await withRole(app, 'auditor'))('GET', '/telemetry?product=fleet-1&metric=agent_count')).status,
    ).toBe(200)
    expect((await app.call('GET', '/api/v1/admin/telemetry?product=fleet-1&metric=agent_count')).status).toBe(
      401,
    )
  })
})

describe('a long series', () => {
  /** Path of the first page, for `call`. */
  const first = (product: string, more: string) =>
    `/api/v1/admin/telemetry?product=${product}&metric=agent_count&group_by=version&${more}`

  async function pages(path: string, accept: string) {
    const found: { body: TelemetrySeries; text: string }[] = []
    for (let next: string | null = path; next !== null; ) {
      const answer = await app.call('GET', next, { bearer: app.adminKey, headers: { Accept: accept } })
      expect(answer.status).toBe(200)
      next = /^<(.+)>; rel="next"$/.exec(answer.headers.get('Link') ?? '')?.[1] ?? null
      if (accept !== 'text/csv') expect(answer.body.next).toBe(next)
      found.push(answer)
    }
    return found
  }

  test('comes in pages, each row once, though the clock goes on between them', async () => {
    const { world, report, rows } = await fleet()
    const evil = ['a,"b"\r\n', 'é\u0001', '\u{1f600}'.repeat(30)]
    await report(
      agents(1, { version: null }),
      ...['2026-02-27T10:00:00Z', '2026-02-28T10:00:00Z'].flatMap((observedAt) =>
        evil.map((version) => agents(2, { version, observedAt })),
      ),
    )
    await rollUp()
    const all = await rows('metric=agent_count&group_by=version')
    expect(all).toHaveLength(7)
    const path = first(world.product, 'limit=2')
    const inPages = await pages(path, 'application/json')
    expect(inPages.map(({ body }) => body.rows.length)).toEqual([2, 2, 2, 1])
    expect(inPages.flatMap(({ body }) => body.rows)).toEqual(all)
    const csv = await pages(path, 'text/csv')
    const records = csv.flatMap(({ text }): string[][] => parse(text, { from: 2 }))
    expect(records.map((record) => record[1])).toEqual(
      all.map(({ group }: { group: string | null }) => group ?? ''),
    )

    const [page] = inPages
    const start = await app.call('GET', path, { bearer: app.adminKey })
    app.clock.advance(40 * 86_400_000)
    const second = await app.call('GET', start.body.next, { bearer: app.adminKey })
    expect([second.body.from, second.body.to]).toEqual([page?.body.from, page?.body.to])
    expect(second.body.rows).toEqual(inPages[1]?.body.rows)
    app.clock.set(new Date('2026-03-01T12:00:00Z'))
  })

  test.each([
    ['no row of its own', 'limit=0'],
    ['too many rows', 'limit=10001'],
    ['a cursor that is none', 'after=x'],
    ['a cursor with a text that no database takes', `after=${encodeCursor(['1767225600', 'a\u0000'])}`],
    ['half a letter', `after=${encodeCursor(['1767225600', '\ud800'])}`],
  ])('is not read with %s', async (_, more) => {
    expect((await app.call('GET', first('fleet-1', more), { bearer: app.adminKey })).status).toBe(422)
  })

  test('is read from anywhere in time', async () => {
    const far = first('fleet-1', `after=${encodeCursor(['9999999999', 'a'])}`)
    expect((await app.call('GET', far, { bearer: app.adminKey })).body).toMatchObject({
      rows: [],
      next: null,
    })
  })
})
