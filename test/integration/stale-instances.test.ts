import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findStaleInstances } from '../../src/domain/anomalies/find-stale.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld } from '../support/world.ts'

const HOUR = 3_600_000
const NOW = '2026-03-01T12:00:00Z'

describe('stale instances', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ startAt: NOW })
    await createWorld(app)
  })
  afterAll(() => app.stop())

  const heartbeat = (instance_id: string) =>
    app.call('POST', '/api/v1/instances/heartbeat', {
      body: {
        instance_id,
        product: 'keldris',
        reported_tier: 'free',
        has_valid_entitlement: false,
        metrics: {},
      },
    })
  const stale = async (state: string) =>
    (await app.admin('GET', `/anomalies?type=stale_instance&state=${state}`)).body

  test('one is found at 48 hours of silence and not a millisecond sooner, once, and closes itself on return', async () => {
    await heartbeat('quiet')
    app.clock.advance(48 * HOUR - 1)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 0 })
    app.clock.advance(1)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 1, closed: 0 })
    const [found] = await stale('open')
    expect(found).toMatchObject({
      id: expect.stringMatching(/^ano_[0-9a-f]{12}7[0-9a-f]{3}[89ab]/),
      instance: { instance_id: 'quiet' },
      severity: 'low',
      count: 1,
      first_seen_at: '2026-03-03T12:00:00Z',
      evidence: { last_seen_at: NOW, silent_hours: 48 },
    })
    expect(Number.parseInt(found.id.slice(4, 16), 16)).toBe(app.clock.now().getTime())
    app.clock.advance(HOUR)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 0 })
    app.clock.advance(HOUR)
    await heartbeat('quiet')
    app.clock.advance(HOUR / 4)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 1 })
    expect(await stale('resolved')).toEqual([
      {
        ...found,
        resolved_at: '2026-03-03T14:15:00Z',
        resolved_by: 'system',
        note: 'heard again',
      },
    ])
    app.clock.advance(48 * HOUR)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 1, closed: 0 })
  })

  test('a silence that an admin resolved is not found again, the next one is', async () => {
    const [open] = await stale('open')
    await app.admin('POST', `/anomalies/${open.id}/resolve`, { note: 'switched off for the winter' })
    app.clock.advance(HOUR)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 0 })
    await heartbeat('quiet')
    app.clock.advance(48 * HOUR)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 1, closed: 0 })
  })

  test('a return and a new silence between two runs of the job close the old row and open a new one', async () => {
    const [before] = await stale('open')
    await heartbeat('quiet')
    app.clock.advance(48 * HOUR)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 1, closed: 1 })
    const rows = await stale('open')
    expect(rows).toHaveLength(1)
    expect(rows[0].id).not.toBe(before.id)
  })

  test('instances that said goodbye are never found, and one that says so after all is closed', async () => {
    const world = await createWorld(app, { product: 'other' })
    const seat = (verb: string) =>
      app.call('POST', `/api/v1/licenses/${verb}`, {
        body: { license_key: world.licenseKey, instance_id: 'polite', product: 'other' },
      })
    await seat('activate')
    await seat('deactivate')
    app.clock.advance(49 * HOUR)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 0 })
    await seat('activate')
    app.clock.advance(48 * HOUR)
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 1, closed: 0 })
    await seat('deactivate')
    expect(await findStaleInstances(app.ctx)).toEqual({ opened: 0, closed: 1 })
  })

  test('eight jobs at the same moment open one row for each silent instance', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => heartbeat(`many-${i}`)))
    app.clock.advance(72 * HOUR)
    const runs = await Promise.all(Array.from({ length: 8 }, () => findStaleInstances(app.ctx)))
    expect(runs.reduce((sum, { opened }) => sum + opened, 0)).toBe(20)
    const ids = (await stale('open')).map((row: { instance: { id: string } }) => row.instance.id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('how long a silence may be is a setting', async () => {
    const quick = await startTestApp({ beside: app, settings: { staleAfter: 3600 } })
    try {
      await heartbeat('impatient')
      app.clock.advance(HOUR)
      expect((await findStaleInstances(app.ctx)).opened).toBe(0)
      expect((await findStaleInstances(quick.ctx)).opened).toBe(1)
    } finally {
      await quick.stop()
    }
  })
})
