import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordReports } from '../../src/domain/instance-api/reports/record-reports.ts'
import type { Report } from '../../src/domain/instance-api/reports/report.ts'
import type { Ctx } from '../../src/domain/kernel/context.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { type CountingDatabase, countingDatabase } from '../support/counting-database.ts'
import { query } from '../support/query.ts'
import { createWorld, type World } from '../support/world.ts'

const ROUNDS = 20
const INSTANCES = 25
const MOST = 500

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

  const ctxOf = ({ db }: CountingDatabase): Ctx => ({ ...app.ctx, db })
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
    const [forwards, backwards] = pools.map(ctxOf) as [Ctx, Ctx]
    // The day's partition is there, as the job leaves it.
    await recordReports(app.ctx, [report('first-of-the-day', randomUUID(), 0)])
    const outcomes = await Promise.all(
      Array.from({ length: ROUNDS }, (_, round) => round).flatMap((round) => [
        recordReports(forwards, batch(round)),
        recordReports(backwards, batch(round).reverse()),
      ]),
    )

    // A deadlock or a conflict would have been retried, or rolled back.
    for (const { statements } of pools) {
      expect(statements.filter((text) => text.startsWith('begin'))).toHaveLength(ROUNDS)
      expect(statements.filter((text) => text.startsWith('rollback'))).toEqual([])
    }
    const reports = ROUNDS * INSTANCES
    const tally = Object.groupBy(outcomes.flat(), (outcome) => outcome.status)
    expect(tally.rejected).toBeUndefined()
    expect([tally.accepted?.length, tally.duplicate?.length]).toEqual([reports, reports * 3])

    const kept = await rows(
      `select i.instance_id, count(*)::int as reports, count(distinct r.seq)::int as numbers,
         sum((r.increases->>'queries_total')::int)::int as grown
       from reports r join instances i using (instance_key) where i.instance_id like 'opposite-%' group by 1`,
    )
    expect(kept).toHaveLength(INSTANCES)
    for (const row of kept) {
      expect(row).toMatchObject({ reports: ROUNDS, numbers: ROUNDS, grown: ROUNDS * 10 })
    }
    const found = await rows(
      `select a.type, a.count from anomalies a join instances i using (instance_key)
       where i.instance_id like 'opposite-%'`,
    )
    expect(found).toEqual(boots.map(() => ({ type: 'tier_mismatch', count: ROUNDS })))
  })

  test(`one report and ${MOST} cost the same number of statements, of one instance or of as many`, async () => {
    const pool = pools[0]
    const cost = async (reports: readonly Report[]) => {
      const before = pool.statements.length
      const outcomes = await recordReports(ctxOf(pool), reports)
      expect(new Set(outcomes.map((outcome) => outcome.status))).toEqual(new Set(['accepted']))
      const sent = pool.statements.slice(before)
      expect([sent[0], sent.at(-1)]).toEqual([expect.stringMatching(/^begin/), 'commit'])
      return sent.filter((text) => !isControl(text))
    }
    const many = Array.from({ length: MOST }, (_, i) => i)
    const boot = randomUUID()
    const one = await cost([report('cost-one', boot, 0)])
    expect(one.length).toBeGreaterThan(0)
    const oneInstance = await cost(many.map((i) => report('cost-one', boot, i + 1)))
    const asManyInstances = await cost(many.map((i) => report(`cost-${i}`, randomUUID(), 0)))
    const known = await cost(many.map((i) => report(`cost-${i}`, randomUUID(), 0)))
    // Their texts too: lists go in as one parameter.
    expect(oneInstance).toEqual(one)
    expect(asManyInstances).toEqual(one)
    expect(known).toEqual(one)
  })

  test('a batch that holds everything at once costs no statement more', async () => {
    const pool = pools[1]
    const boot = randomUUID()
    await app.call('POST', '/api/v1/licenses/activate', {
      body: { license_key: world.licenseKey, instance_id: 'mixed-0', product: 'keldris' },
    })
    const before = pool.statements.length
    const plain = await recordReports(ctxOf(pool), [report('mixed-plain', boot, 0)])
    const afterPlain = pool.statements.length
    const mixed = Array.from({ length: MOST }, (_, i): Report => {
      const { bootId: _boot, seq: _seq, ...unnumbered } = report(`mixed-${i % 100}`, boot, 0)
      if (i % 3 === 0) return { ...unnumbered, proof: 'instance', chain: {} }
      if (i % 3 === 1) return { ...report(`mixed-${i % 100}`, boot, i % 4), product: 'unheard-of' }
      return {
        ...report(`mixed-${i % 100}`, boot, i % 4),
        featureUsage: ['sso_sync'],
        hasValidEntitlement: false,
      }
    })
    const outcomes = await recordReports(ctxOf(pool), mixed)
    expect(pool.statements.length - afterPlain).toBe(afterPlain - before)
    expect(plain[0]?.status).toBe('accepted')
    expect(new Set(outcomes.map((outcome) => outcome.status))).toEqual(
      new Set(['accepted', 'duplicate', 'rejected']),
    )
    expect(outcomes.filter((outcome) => outcome.status === 'rejected')).toHaveLength(
      mixed.filter((given) => given.product === 'unheard-of').length,
    )
  })

  test('on a day whose partition nobody made, batches in opposite order are taken too', async () => {
    app.clock.advance(40 * 86_400_000)
    const boot = randomUUID()
    const batch = (seq: number) => Array.from({ length: INSTANCES }, (_, i) => report(`late-${i}`, boot, seq))
    const outcomes = await Promise.all(
      pools.flatMap((pool, seq) => [
        recordReports(ctxOf(pool), batch(seq)),
        recordReports(ctxOf(pool), batch(seq).reverse()),
      ]),
    )
    const tally = Object.groupBy(outcomes.flat(), (outcome) => outcome.status)
    expect([tally.accepted?.length, tally.duplicate?.length]).toEqual([2 * INSTANCES, 2 * INSTANCES])
  })
})
