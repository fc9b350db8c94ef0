// Limits that refuse, the lock within a process, retention, and the ClickHouse statement. The online grant behind them comes
// from the test server; the locks across processes are example-offline.test.ts and postgres-lock.test.ts.
import { describe, expect, test } from 'vitest'
import {
  CapExceededError,
  clickhouseTtl,
  defineLimits,
  enforceLimits,
  type LicenseAuditEvent,
  retentionPolicy,
  type ScopeDays,
  SettingOverCapError,
} from '../../../src/sdk/enforce/index.ts'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { HOUR, testServer, virtualClock } from '../../../src/sdk/testing/index.ts'

const limits = defineLimits({ max_apps: 3, max_cpu: 100, max_log_days: 1 })

async function enforced(
  granted: Record<string, number> = { max_apps: 10 },
  audit?: (e: LicenseAuditEvent) => void,
) {
  const clock = virtualClock()
  const server = await testServer({ clock, limits: granted, graceDays: 1 })
  const { host, ...options } = server.options()
  const warned: string[] = []
  const log = { info() {}, warn: (message: string) => void warned.push(message), error() {} }
  const started = await startLicenseOn<string, keyof typeof limits>(host, {
    ...options,
    tiers: {},
    community: { limits },
    log,
  })
  const license = enforceLimits(started, audit ? { audit } : {})
  return { clock, server, license, warned }
}

const caught = (work: () => void): unknown => {
  try {
    work()
  } catch (error) {
    return error
  }
  return null
}

describe('assertWithinCap', () => {
  test('lets through up to the cap and refuses beyond it, with all that a refusal says', async () => {
    const { license } = await enforced()
    license.assertWithinCap('max_apps', 9)
    license.assertWithinCap('max_apps', 5, 5)
    const error = caught(() => license.assertWithinCap('max_apps', 9, 2))
    expect(error).toBeInstanceOf(CapExceededError)
    expect(error).toMatchObject({
      limit: 'max_apps',
      current: 11,
      cap: 10,
      state: 'ACTIVE',
      message:
        'License cap reached: max_apps = 10. Current usage is 11. Contact your vendor to raise the cap.',
    })
    expect(license.withinCap('max_apps', 9)).toEqual({ ok: true })
    expect(license.withinCap('max_apps', 10)).toMatchObject({
      ok: false,
      error: 'license cap reached',
      current: 11,
    })
  })

  test('a limit that the product has not named is a programmer’s mistake, at compile time and at run time', async () => {
    const { license } = await enforced({ max_apps: 10, max_other: 7 })
    // @ts-expect-error: no limit of this product
    expect(() => license.assertWithinCap('max_app', 1)).toThrow(TypeError)
    // Nor one that the license happens to bring, and that would be gone with it.
    // @ts-expect-error: no limit of this product
    expect(() => license.withinCap('max_other', 1)).toThrow(TypeError)
    const work = () => 0
    // @ts-expect-error: no limit of this product
    const inherited = license.enforce('toString', work, work)
    await expect(inherited).rejects.toThrow(TypeError)
    expect(() => license.assertWithinCap('max_apps', Number.NaN)).toThrow(TypeError)
  })

  test('the license counts in grace, and the product’s own limits after it, whoever was asked first', async () => {
    const { license, server, clock } = await enforced()
    server.fail('down')
    await clock.advance(25 * HOUR)
    expect(license.limits().max_apps).toEqual({ cap: 10, source: 'license' })
    expect(caught(() => license.assertWithinCap('max_apps', 10))).toMatchObject({
      state: 'GRACE',
      message:
        'License expired 0 day(s) ago and is in its grace period (ends in 1 days). Cap unchanged at 10. Renew before grace ends.',
    })
    await clock.advance(24 * HOUR)
    expect(license.limits().max_apps).toEqual({ cap: 3, source: 'default' })
    expect(caught(() => license.assertWithinCap('max_apps', 3))).toMatchObject({
      state: 'EXPIRED',
      message:
        'License expired 1 days ago: system reverted to default tier (cap = 3 for max_apps). Current usage is 4. Renew the license to lift the cap.',
    })
  })

  test('a switched-off instance has the product’s own limits', async () => {
    const { license, server } = await enforced()
    server.kill()
    await license.refreshNow()
    expect(license.killed).toBe(true)
    expect(license.limits().max_apps).toEqual({ cap: 3, source: 'default' })
  })

  test('several are refused together or not at all, and the first that is over is named', async () => {
    const { license } = await enforced()
    license.assertWithinCaps([
      { limit: 'max_apps', current: 9 },
      { limit: 'max_cpu', current: 50, delta: 50 },
    ])
    const over = license.withinCaps([
      { limit: 'max_apps', current: 9 },
      { limit: 'max_cpu', current: 50, delta: 51 },
    ])
    expect(over).toMatchObject({ ok: false, limit: 'max_cpu', current: 101, cap: 100 })
  })

  test('refusals are audited; an audit that throws, rejects or hangs refuses all the same', async () => {
    const events: LicenseAuditEvent[] = []
    const { license } = await enforced(undefined, (event) => {
      events.push(event)
      throw new Error('no disk')
    })
    expect(license.withinCap('max_apps', 10).ok).toBe(false)
    expect(caught(() => license.assertArtefactCount('max_apps', 11))).toBeInstanceOf(SettingOverCapError)
    expect(events.map(({ action, details }) => [action, details])).toEqual([
      ['cap_exceeded', { limit: 'max_apps', current: 11, cap: 10, state: 'ACTIVE' }],
      ['cap_exceeded', { limit: 'max_apps', current: 11, cap: 10, state: 'ACTIVE' }],
    ])
  })
})

describe('enforce', () => {
  test('a crowd on one process makes as many as the cap, and others wait for no one', async () => {
    const { license } = await enforced()
    let made = 0
    let cpu = 0
    const make = () =>
      license.enforce(
        'max_apps',
        async () => made,
        async () => {
          const before = made
          await Promise.resolve()
          made = before + 1
        },
      )
    const results = await Promise.allSettled(Array.from({ length: 100 }, make))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect(made).toBe(10)
    const deltas = { max_cpu: 30 }
    const grow = () =>
      license.enforce(
        deltas,
        () => ({ max_cpu: cpu }),
        () => {
          cpu += 30
        },
      )
    expect((await Promise.allSettled([grow(), grow(), grow(), grow()])).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
  })

  test('what count or work throws comes through, and the next one gets its turn', async () => {
    const { license } = await enforced()
    const fails = (what: string) => () => Promise.reject(new Error(what))
    await expect(license.enforce('max_apps', fails('count'), () => 1)).rejects.toThrow('count')
    await expect(license.enforce('max_apps', () => 0, fails('work'))).rejects.toThrow('work')
    const sums = { max_cpu: 1, max_apps: 1 }
    const count = () => ({ max_cpu: 1 })
    // @ts-expect-error: a sum without its number
    const missing = license.enforce(sums, count, () => 1)
    await expect(missing).rejects.toThrow(TypeError)
    expect(
      await license.enforce(
        'max_apps',
        () => 9,
        () => 'made',
      ),
    ).toBe('made')
  })
})

describe('retentionPolicy', () => {
  async function policyOf(
    configured: () => Record<string, number>,
    fails: (table: string) => boolean = () => false,
  ) {
    const setting = await enforced({ max_log_days: 30 })
    const told: [string, readonly ScopeDays[]][] = []
    const policy = retentionPolicy(setting.license, {
      tables: { broken: 'max_log_days', logs: 'max_log_days' },
      scopes: () =>
        Object.entries(configured()).map(([scope, max_log_days]) => ({ scope, days: { max_log_days } })),
      async apply(table, rows) {
        if (fails(table)) throw new Error('ClickHouse is away')
        told.push([table, rows])
      },
    })
    await policy.applyNow()
    return { ...setting, told, policy }
  }

  test('each table hears of all its scopes at once, of the lesser of cap and configured, and once', async () => {
    const { told, policy, server, license } = await policyOf(() => ({ prod: 90, test: 7 }))
    const rows = [
      { scope: 'prod', days: 30 },
      { scope: 'test', days: 7 },
    ]
    expect(told).toEqual([
      ['broken', rows],
      ['logs', rows],
    ])
    await policy.applyNow()
    expect(told).toHaveLength(2)
    server.change({ limits: { max_log_days: 60 } })
    await license.refreshNow()
    await policy.applyNow()
    expect(told.slice(2)).toEqual([
      [
        'broken',
        [
          { scope: 'prod', days: 60 },
          { scope: 'test', days: 7 },
        ],
      ],
      [
        'logs',
        [
          { scope: 'prod', days: 60 },
          { scope: 'test', days: 7 },
        ],
      ],
    ])
  })

  test('a table or a scope that fails keeps no other back, and is tried again', async () => {
    let isAway = true
    const { told, policy, warned } = await policyOf(
      () => ({ odd: Number.NaN, prod: 7 }),
      (table) => isAway && table === 'broken',
    )
    const rows = [
      { scope: 'odd', days: 30 },
      { scope: 'prod', days: 7 },
    ]
    expect(told).toEqual([['logs', rows]])
    expect(warned).toContain('Retention of odd is left alone: max_log_days is NaN')
    expect(warned).toContain('Retention of broken could not be applied: ClickHouse is away')
    isAway = false
    await policy.applyNow()
    expect(told.slice(1)).toEqual([['broken', rows]])
  })

  test('a scope whose days are nonsense keeps what it had, since the statement replaces all', async () => {
    let prod = 7
    const { told, policy, warned } = await policyOf(() => ({ prod, test: prod === 7 ? 5 : 6 }))
    for (const nonsense of [1.5, -1, Number.NaN]) {
      prod = nonsense
      await policy.applyNow()
      expect(warned).toContain(`Retention of prod is left alone: max_log_days is ${nonsense}`)
    }
    expect(told.slice(2).map(([, rows]) => rows)).toEqual([
      [
        { scope: 'prod', days: 7 },
        { scope: 'test', days: 6 },
      ],
      [
        { scope: 'prod', days: 7 },
        { scope: 'test', days: 6 },
      ],
    ])
  })

  test('a table whose last scope has gone hears of it, once', async () => {
    const configured: Record<string, number> = { prod: 7 }
    const { told, policy } = await policyOf(() => configured)
    delete configured.prod
    await policy.applyNow()
    await policy.applyNow()
    expect(told.slice(2)).toEqual([
      ['broken', []],
      ['logs', []],
    ])
  })
})

describe('clickhouseTtl', () => {
  const table = { table: 'telemetry.logs', time: 'timestamp', scope: 'environment' }

  test('is one statement for all scopes', () => {
    expect(
      clickhouseTtl(table, [
        { scope: 'prod', days: 30 },
        { scope: 'test', days: 1 },
      ]),
    ).toBe(
      "ALTER TABLE `telemetry`.`logs` MODIFY TTL toDateTime(`timestamp`) + INTERVAL 30 DAY DELETE WHERE `environment` = 'prod', toDateTime(`timestamp`) + INTERVAL 1 DAY DELETE WHERE `environment` = 'test'",
    )
  })

  test('no name ends its quotes', () => {
    const hostile = "x\\' OR 1=1, '`"
    const text = clickhouseTtl({ table: 'a`b', time: 't\\`', scope: 's' }, [{ scope: hostile, days: 1 }])
    expect(text).toBe(
      "ALTER TABLE `a\\`b` MODIFY TTL toDateTime(`t\\\\\\``) + INTERVAL 1 DAY DELETE WHERE `s` = 'x\\\\\\' OR 1=1, \\'`'",
    )
    expect(() => clickhouseTtl(table, [{ scope: 'a\0', days: 1 }])).toThrow(TypeError)
    expect(() => clickhouseTtl(table, [{ scope: 'a', days: 1.5 }])).toThrow(TypeError)
    expect(clickhouseTtl(table, [])).toBe('ALTER TABLE `telemetry`.`logs` REMOVE TTL')
  })
})
