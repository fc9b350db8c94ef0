import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../src/domain/instance-api/reports/report.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { type CountingDatabase, countingDatabase } from '../support/counting-database.ts'
import { query } from '../support/query.ts'
import { pipelineOver, tellReports } from '../support/tell-reports.ts'
import { createWorld, type World } from '../support/world.ts'

const ROUNDS = 20
const INSTANCES = 25
/** As many turns as a batch holds. */
const MOST = 256

const isControl = (statement: string) => /^(begin|commit|rollback|savepoint|release)/i.test(statement)

describe('batches of reports', () => {
  let app: TestApp
  let world: World
  let pools: [CountingDatabase, CountingDatabase]
  beforeAll(async () => {
    app = await startTestApp()
    world = await createWorld(app, { license: { seat_limit: null } })
    pools = [countingDatabase(app.databaseUrl, 8), countingDatabase(app.databaseUrl, 8)]
  })
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.close()))
    await app.stop()
  })

  /** Claims a tier that it does not have, so that a finding is written too. */
  const report = (instanceId: string, bootId: string, seq: number): Report => ({
    kind: 'heartbeat',
    proof: 'none',
    product: 'keldris',
    instanceId,
    metrics: { queries_total: (seq + 1) * 10, agent_count: 1 },
    reportedTier: 'enterprise',
    hasValidEntitlement: true,
    featureUsage: [],
    bootId,
    seq,
  })
  const rows = (text: string) => query(app.databaseUrl, text)

  test(`${ROUNDS} rounds of two batches in opposite order, duplicates inside, all at once: no deadlock, each report once`, async () => {
    const boots = Array.from({ length: INSTANCES }, (_, i) => ({ id: `opposite-${i}`, boot: randomUUID() }))
    const batch = (round: number) =>
      boots.flatMap(({ id, boot }) => {
        const once = report(id, boot, round)
        return [once, { ...once, bootId: boot.toUpperCase() }]
      })
    const [forwards, backwards] = [pipelineOver(app, pools[0]), pipelineOver(app, pools[1])]
    // The instances and the day's partition are there.
    await tellReports(
      app,
      forwards,
      boots.map(({ id }) => report(id, randomUUID(), 0)),
    )
    for (const { statements } of pools) statements.length = 0
    const outcomes = await Promise.all(
      Array.from({ length: ROUNDS }, (_, round) => round).flatMap((round) => [
        tellReports(app, forwards, batch(round)),
        tellReports(app, backwards, batch(round).reverse()),
      ]),
    )

    // A deadlock or a conflict would have been retried, or rolled back.
    for (const { statements } of pools) {
      expect(statements.filter((text) => text.startsWith('begin')).length).toBeGreaterThan(0)
      expect(statements.filter((text) => text.startsWith('rollback'))).toEqual([])
    }
    const reports = ROUNDS * INSTANCES
    const tally = Object.groupBy(outcomes.flat(), (status) => status)
    expect(tally.rejected).toBeUndefined()
    expect([tally.accepted?.length, tally.duplicate?.length]).toEqual([reports, reports * 3])

    const kept = await rows(
      `select i.instance_id, count(*)::int as reports, count(distinct r.seq)::int as numbers,
         sum((r.increases->>'queries_total')::int)::int as grown
       from reports r join instances i using (instance_key) where i.instance_id like 'opposite-%' and r.boot_id = any('{${boots.map(({ boot }) => boot).join(',')}}') group by 1`,
    )
    expect(kept).toHaveLength(INSTANCES)
    for (const row of kept) {
      expect(row).toMatchObject({ reports: ROUNDS, numbers: ROUNDS, grown: ROUNDS * 10 })
    }
    const found = await rows(
      `select a.type, a.count from anomalies a join instances i using (instance_key)
       where i.instance_id like 'opposite-%'`,
    )
    expect(found).toEqual(boots.map(() => ({ type: 'tier_mismatch', count: ROUNDS + 1 })))
  })

  test(`one report and ${MOST} cost the same number of statements, of one instance or of as many`, async () => {
    const pool = pools[0]
    const pipeline = pipelineOver(app, pool)
    const cost = async (reports: readonly Report[]) => {
      const before = pool.statements.length
      const outcomes = await tellReports(app, pipeline, reports)
      expect(new Set(outcomes)).toEqual(new Set(['accepted']))
      const sent = pool.statements.slice(before)
      expect([sent[0], sent.at(-1)]).toEqual([expect.stringMatching(/^begin/), 'commit'])
      return sent.filter((text) => !isControl(text))
    }
    const many = Array.from({ length: MOST }, (_, i) => i)
    const boot = randomUUID()
    const newcomer = await cost([report('cost-one', boot, 0)])
    const newcomers = await cost(many.map((i) => report(`cost-${i}`, randomUUID(), 0)))
    const one = await cost([report('cost-one', boot, 1)])
    expect(one.length).toBeGreaterThan(0)
    const oneInstance = await cost(many.map((i) => report('cost-one', boot, i + 2)))
    const asMany = await cost(many.map((i) => report(`cost-${i}`, randomUUID(), 0)))
    // Their texts too: lists go in as one parameter.
    expect(newcomers).toEqual(newcomer)
    expect(oneInstance).toEqual(one)
    expect(asMany).toEqual(one)
  })

  test('a batch that holds everything at once costs no statement more', async () => {
    const pool = pools[1]
    const pipeline = pipelineOver(app, pool)
    const boot = randomUUID()
    await app.call('POST', '/api/v1/licenses/activate', {
      body: { license_key: world.licenseKey, instance_id: 'mixed-0', product: 'keldris' },
    })
    const everybody = Array.from({ length: 100 }, (_, i) => report(`mixed-${i}`, randomUUID(), 0))
    await tellReports(app, pipeline, everybody)
    const before = pool.statements.length
    const plain = await tellReports(app, pipeline, [report('mixed-0', boot, 9)])
    const afterPlain = pool.statements.length
    const mixed = Array.from({ length: 6 * 80 }, (_, i): Report => {
      const { bootId: _boot, seq: _seq, ...unnumbered } = report(`mixed-${i % 80}`, boot, 0)
      if (i % 3 === 0) return { ...unnumbered, proof: 'instance', chain: {} }
      if (i % 3 === 1) return { ...report(`mixed-${i % 80}`, boot, i % 4), product: 'unheard-of' }
      return {
        ...report(`mixed-${i % 80}`, boot, i % 4),
        featureUsage: ['sso_sync'],
        hasValidEntitlement: false,
      }
    })
    const known = mixed.filter(({ product }) => product === 'keldris')
    const outcomes = await tellReports(app, pipeline, known)
    expect(pool.statements.length - afterPlain).toBe(afterPlain - before)
    expect(plain).toEqual(['accepted'])
    expect(new Set(outcomes)).toEqual(new Set(['accepted', 'duplicate']))
    const foreign = mixed.filter(({ product }) => product !== 'keldris')
    expect(new Set(await tellReports(app, pipeline, foreign))).toEqual(new Set(['rejected']))
  })

  test('on a day whose partition nobody made, batches in opposite order are taken too', async () => {
    app.clock.advance(40 * 86_400_000)
    const boot = randomUUID()
    const batch = (seq: number) => Array.from({ length: INSTANCES }, (_, i) => report(`late-${i}`, boot, seq))
    const outcomes = await Promise.all(
      pools.flatMap((pool, seq) => {
        const pipeline = pipelineOver(app, pool)
        return [
          tellReports(app, pipeline, batch(seq)),
          tellReports(app, pipelineOver(app, pool), batch(seq).reverse()),
        ]
      }),
    )
    const tally = Object.groupBy(outcomes.flat(), (status) => status)
    expect([tally.accepted?.length, tally.duplicate?.length]).toEqual([2 * INSTANCES, 2 * INSTANCES])
  })
})
