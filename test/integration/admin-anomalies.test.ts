import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { transaction } from '../../src/db/transaction.ts'
import { type AnomalySighting, recordAnomalies } from '../../src/domain/anomalies/record-anomalies.ts'
import { recordClone } from '../../src/domain/anomalies/record-clone.ts'
import { instanceKey, parsePublicId } from '../../src/platform/ids.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { allPages, withRole } from '../support/roles.ts'
import { createWorld } from '../support/world.ts'

const HOUR = 3_600_000
const NOW = '2026-03-01T12:00:00Z'

describe('anomalies', () => {
  let app: TestApp
  let productId: string
  beforeAll(async () => {
    app = await startTestApp({ startAt: NOW })
    await createWorld(app)
    const [product] = (await app.admin('GET', '/products')).body
    productId = parsePublicId('prd', product.id) ?? ''
  })
  afterAll(() => app.stop())

  const known = async (instance_id: string): Promise<string> => {
    const body = { instance_id, product: 'keldris' }
    expect((await app.call('POST', '/api/v1/instances/register', { body })).status).toBe(200)
    return instanceKey('keldris', instance_id)
  }
  const sighting = (key: string, more: Partial<AnomalySighting> = {}): AnomalySighting => ({
    instanceKey: key,
    productId,
    type: 'tier_mismatch',
    severity: 'high',
    count: 1,
    firstSeenAt: app.clock.now(),
    lastSeenAt: app.clock.now(),
    evidence: { reported_tier: 'enterprise', granted_tier: 'free' },
    proof: 'none',
    ...more,
  })
  const record = (...sightings: AnomalySighting[]) =>
    transaction(app.services.db, (tx) => recordAnomalies(tx, app.ctx, sightings))
  const listed = async (filter: string) => (await app.admin('GET', `/anomalies?${filter}`)).body
  const of = (key: string) => `instance=ins_${key.replaceAll('-', '')}`

  test('a repeated sighting raises the count and the last time of the one open row', async () => {
    const key = await known('an-1')
    await record(sighting(key))
    app.clock.advance(HOUR)
    await record(sighting(key, { count: 3, evidence: { reported_tier: 'pro', granted_tier: 'free' } }))
    const rows = await listed(of(key))
    expect(rows).toEqual([
      {
        id: expect.stringMatching(/^ano_[0-9a-f]{32}$/),
        instance: { id: of(key).slice(9), instance_id: 'an-1' },
        product: 'keldris',
        type: 'tier_mismatch',
        severity: 'high',
        count: 4,
        first_seen_at: '2026-03-01T12:00:00Z',
        last_seen_at: '2026-03-01T13:00:00Z',
        evidence: { reported_tier: 'pro', granted_tier: 'free' },
        proof: 'none',
        verified: false,
        relay: null,
        resolved_at: null,
        resolved_by: null,
        note: null,
      },
    ])
    await record(sighting(key, { lastSeenAt: new Date('2026-03-01T12:30:00Z') }))
    expect((await listed(of(key)))[0]).toMatchObject({ count: 5, last_seen_at: '2026-03-01T13:00:00Z' })
    app.clock.set(new Date(NOW))
  })

  test('what a proven report showed is not overwritten by an unproven one, which still counts', async () => {
    const key = await known('an-2')
    await record(sighting(key, { proof: 'instance', evidence: { from: 'proven' } }))
    await record(sighting(key, { evidence: { from: 'stranger' } }))
    expect((await listed(of(key)))[0]).toMatchObject({
      count: 2,
      proof: 'instance',
      verified: true,
      evidence: { from: 'proven' },
    })
    await record(sighting(key, { proof: 'license', evidence: { from: 'license' } }))
    expect((await listed(of(key)))[0]).toMatchObject({
      count: 3,
      proof: 'license',
      evidence: { from: 'license' },
    })
  })

  test('there are never two open rows of a type, and no deadlock: 40 batches at once, in opposite orders, with resolves among them', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => instanceKey('keldris', `race-${i}`))
    // Not through transaction(), which would try again after a deadlock.
    const batch = (order: string[]) =>
      app.services.db.transaction((tx) =>
        recordAnomalies(
          tx,
          app.ctx,
          order.map((key) => sighting(key)),
        ),
      )
    const resolveAll = async () => {
      for (const { id } of await listed('type=tier_mismatch&limit=200')) {
        expect((await app.admin('POST', `/anomalies/${id}/resolve`)).status).toBe(200)
      }
    }
    await Promise.all([
      ...Array.from({ length: 40 }, (_, i) => batch(i % 2 === 0 ? keys : keys.toReversed())),
      resolveAll(),
    ])
    const rows = await query(
      app.databaseUrl,
      `select instance_key, sum(count)::int as count, count(*) filter (where resolved_at is null)::int as open
       from anomalies where instance_key in (${keys.map((key) => `'${key}'`).join()}) group by 1`,
    )
    expect(rows).toHaveLength(100)
    for (const row of rows) {
      expect(row.count).toBe(40)
      expect(row.open).toBeLessThanOrEqual(1)
    }
    const second = `insert into anomalies select instance_key, gen_random_uuid(), product_id, type, severity, count,
      first_seen_at, last_seen_at, evidence, proof from anomalies where resolved_at is null limit 1`
    await record(sighting(keys[0] ?? ''))
    await expect(query(app.databaseUrl, second)).rejects.toMatchObject({
      constraint_name: 'anomalies_one_open',
    })
  })

  test('nothing to record is no statement, and a count does not overflow', async () => {
    await record()
    const key = await known('an-3')
    await record(sighting(key, { count: 2_147_483_647 }))
    await record(sighting(key))
    expect((await listed(of(key)))[0].count).toBe(2_147_483_647)
  })

  test('a clone is raised with its evidence, and proven as its instance is', async () => {
    const key = await known('an-4')
    const branch = { branch: '0000002a', returns: 3, first_return: NOW, last_return: NOW }
    const evidence = { branches: [branch, { ...branch, branch: '0000002b' }], branches_known: 2 } as const
    for (let i = 0; i < 2; i += 1) {
      await transaction(app.services.db, (tx) =>
        recordClone(tx, app.ctx, { instanceKey: key, productId, proof: 'instance' }, evidence),
      )
    }
    expect(await listed(`${of(key)}&type=instance_cloned`)).toMatchObject([
      { type: 'instance_cloned', severity: 'high', count: 2, evidence, verified: true },
    ])
  })

  test('resolving needs neither body nor content type, keeps a note, and the next sighting opens a new row', async () => {
    const key = await known('an-5')
    await record(sighting(key))
    const [{ id }] = await listed(of(key))
    const bare = await fetch(`${app.url}/api/v1/admin/anomalies/${id}/resolve`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${app.adminKey}` },
    })
    const resolved = (await bare.json()) as object
    expect([bare.status, resolved]).toEqual([
      200,
      expect.objectContaining({
        id,
        resolved_at: NOW,
        resolved_by: expect.stringMatching(/^adm_/),
        note: null,
      }),
    ])
    app.clock.advance(HOUR)
    const again = (more?: object) => app.admin('POST', `/anomalies/${id}/resolve`, more)
    expect((await again()).body).toEqual(resolved)
    expect((await again({ note: 'lab' })).body).toEqual({ ...resolved, note: 'lab' })
    expect((await again({ note: 'too late' })).body).toEqual({ ...resolved, note: 'lab' })
    expect((await app.admin('GET', `/anomalies/${id}`)).body).toEqual({ ...resolved, note: 'lab' })
    expect(
      await query(app.databaseUrl, `select action from audit_log where subject = '${id}' order by id`),
    ).toEqual([{ action: 'anomaly.resolve' }, { action: 'anomaly.note' }])
    expect(await listed(of(key))).toEqual([])
    await record(sighting(key))
    const [open] = await listed(of(key))
    expect(open).toMatchObject({ count: 1, first_seen_at: '2026-03-01T13:00:00Z' })
    expect(open.id).not.toBe(id)
    const announced = await app.call('POST', `/api/v1/admin/anomalies/${open.id}/resolve`, {
      bearer: app.adminKey,
      headers: { 'Content-Type': 'application/json' },
    })
    expect(announced.status).toBe(200)
    await record(sighting(key))
    const [third] = await listed(of(key))
    expect(
      (await app.admin('POST', `/anomalies/${third.id}/resolve`, { note: ' test machine ' })).body.note,
    ).toBe('test machine')
    expect(
      await query(
        app.databaseUrl,
        `select action, details->>'note' as note from audit_log where subject = '${third.id}'`,
      ),
    ).toEqual([{ action: 'anomaly.resolve', note: 'test machine' }])
    for (const state of ['resolved', 'all']) expect(await listed(`${of(key)}&state=${state}`)).toHaveLength(3)
    app.clock.set(new Date(NOW))
  })

  test.each([
    ['an unknown id', 'ano_00000000000070008000000000000000', {}, 404],
    ['what is no id', 'x', {}, 404],
    ['another member', 'ano_00000000000070008000000000000000', { note: 'x', status: 'ok' }, 422],
    ['an empty note', 'ano_00000000000070008000000000000000', { note: ' ' }, 422],
  ])('resolving %s is refused', async (_, id, body, status) => {
    expect((await app.admin('POST', `/anomalies/${id}/resolve`, body)).status).toBe(status)
  })

  test('the list filters, and its pages hold every row once', async () => {
    const key = await known('an-6')
    await record(
      sighting(key),
      sighting(key, { type: 'limit_exceeded', severity: 'medium' }),
      sighting(key, { type: 'unlicensed_premium_usage' }),
    )
    const types = async (filter: string) =>
      (await listed(`${of(key)}&${filter}`)).map((row: { type: string }) => row.type)
    expect((await types('')).toSorted()).toEqual([
      'limit_exceeded',
      'tier_mismatch',
      'unlicensed_premium_usage',
    ])
    expect(await types('severity=medium')).toEqual(['limit_exceeded'])
    expect(await types('type=tier_mismatch')).toEqual(['tier_mismatch'])
    expect(await types('product=other')).toEqual([])
    await record(sighting(key, { type: 'limit_exceeded', severity: 'medium', proof: 'instance' }))
    expect(await types('verified=true')).toEqual(['limit_exceeded'])
    expect(await types('verified=false&severity=medium')).toEqual([])
    expect(await types('state=resolved')).toEqual([])
    const everything = (await listed('state=all&limit=200')).map((row: { id: string }) => row.id)
    const pages = await allPages(app, '/anomalies?state=all&limit=4')
    expect(pages.flat().map(({ id }) => id)).toEqual(everything)
    expect(everything.toSorted().toReversed()).toEqual(everything)
    for (const wrong of ['state=x', 'type=x', 'severity=x', 'instance=x', 'limit=0', 'after=x']) {
      expect((await app.admin('GET', `/anomalies?${wrong}`)).status).toBe(422)
    }
  })

  test('one that was resolved too early is opened again, but never beside another of its type', async () => {
    const key = await known('an-8')
    await record(sighting(key, { count: 2 }))
    const [first] = await listed(of(key))
    const on = (id: string, verb: string, body?: object) =>
      app.admin('POST', `/anomalies/${id}/${verb}`, body)
    expect((await on(first.id, 'reopen')).body).toEqual(first)
    await on(first.id, 'resolve', { note: 'lab' })
    expect((await on(first.id, 'reopen')).body).toEqual({ ...first, note: 'lab' })
    await record(sighting(key))
    expect((await listed(of(key)))[0]).toMatchObject({ id: first.id, count: 3 })
    await on(first.id, 'resolve', { note: 'sold' })
    await record(sighting(key))
    const [second] = await listed(of(key))
    expect((await on(first.id, 'reopen', { note: 'no' })).body).toMatchObject({
      status: 409,
      error: 'conflict',
      reason: 'anomaly_open',
      open: second.id,
    })
    expect((await app.admin('GET', `/anomalies/${first.id}`)).body.note).toBe('sold')
    await on(second.id, 'resolve')
    expect((await on(first.id, 'reopen', { note: 'after all' })).body).toMatchObject({
      resolved_at: null,
      resolved_by: null,
      note: 'after all',
    })
    const audited = await query(
      app.databaseUrl,
      `select action from audit_log where subject = '${first.id}' order by id`,
    )
    expect(audited.map(({ action }) => action)).toEqual([
      'anomaly.resolve',
      'anomaly.reopen',
      'anomaly.resolve',
      'anomaly.reopen',
    ])
    const race = await Promise.all([first, second].flatMap(({ id }) => [on(id, 'reopen'), on(id, 'reopen')]))
    expect(race.map(({ status }) => status)).toEqual([200, 200, 409, 409])
    expect((await on('ano_00000000000070008000000000000000', 'reopen')).status).toBe(404)
  })

  test('support resolves, auditors only read', async () => {
    const key = await known('an-7')
    await record(sighting(key))
    const [{ id }] = await listed(of(key))
    const auditor = await withRole(app, 'auditor')
    expect((await auditor('GET', '/anomalies')).status).toBe(200)
    expect((await auditor('GET', `/anomalies/${id}`)).status).toBe(200)
    expect((await auditor('GET', `/anomalies/ano_${key.replaceAll('-', '')}`)).status).toBe(404)
    expect((await auditor('POST', `/anomalies/${id}/resolve`)).body.error).toBe('forbidden')
    expect((await auditor('POST', `/anomalies/${id}/reopen`)).body.error).toBe('forbidden')
    const support = await withRole(app, 'support')
    expect((await support('POST', `/anomalies/${id}/resolve`)).status).toBe(200)
    expect((await support('POST', `/anomalies/${id}/reopen`)).status).toBe(200)
  })
})
