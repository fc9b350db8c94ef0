import { describe, expect, test } from 'vitest'
import { startLicenseOn } from '../../../src/sdk/start.ts'
import { DAY, HOUR, makeWorld, start } from './support/world.ts'

describe('explain()', () => {
  test('says state, origins, what was tried, what comes next and what to do, as data and as text', async () => {
    const world = makeWorld()
    world.server.license = { license_exp: world.server.iat() + 90 * 86_400, trial: true }
    const { license } = await start(world, { apiKey: 'sk-1' })
    await world.time.settle()
    const explained = license.explain()
    expect(explained).toMatchObject({
      role: 'leader',
      licenseId: 'lic_1',
      customer: 'Acme',
      trial: true,
      expiresAt: '2026-05-30T12:00:00.000Z',
      graceEndsAt: '2026-04-01T12:00:00.000Z',
      graceDaysLeft: null,
      features: [
        { name: 'audit_logs', origin: 'online' },
        { name: 'basic', origin: 'community' },
        { name: 'oidc', origin: 'online' },
      ],
      limits: [
        { name: 'max_agents', value: 100, origin: 'online' },
        { name: 'max_users', value: Number.POSITIVE_INFINITY, origin: 'online' },
      ],
      todo: [],
    })
    expect(explained.next.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['refresh', 'heartbeat', 'lease_ends', 'license_ends', 'grace_ends']),
    )
    expect([...explained.next].sort((a, b) => (a.at < b.at ? -1 : 1))).toEqual(explained.next)
    expect(explained.text).toContain('License ACTIVE: tier pro from online, trial')
    expect(explained.text).toContain('max_users = unlimited (online)')
    expect(explained.text).not.toContain('sk-1')
  })

  test('says what directives are verified with, and in words where nothing is', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-1' })
    expect(license.explain().directives).toBe('key_set')
    expect(license.explain().text).not.toContain('Directives')
    const keys = [{ x: world.server.raw.x, use: 'raw' as const }]
    const { serverUrl: _none, ...offline } = world.options({ trust: { keys } })
    const alone = await world.time.during(startLicenseOn(world.host(), offline))
    expect(alone.explain().directives).toBe('none')
    expect(alone.explain().text).toContain('Directives: none can be verified')
  })

  test.each([
    ['grace', 'Let this machine reach the license server'],
    ['revoked', 'Ask your vendor for a new license.'],
    ['killed', 'Ask your vendor to clear the action of this instance.'],
    ['absent', 'Configure an API key, a license key, a token or an offline license.'],
  ])('names what to do first: %s', async (what, todo) => {
    const world = makeWorld()
    const { license } = await start(world, what === 'absent' ? {} : { apiKey: 'sk-1' })
    if (what === 'grace') world.server.down = true
    if (what === 'revoked') world.server.directive = { status: 'revoked' }
    if (what === 'killed') world.server.directive = { action: 'kill' }
    await world.time.advance(what === 'grace' ? 2 * DAY : HOUR)
    if (what !== 'absent') await license.refreshNow()
    const explained = license.explain()
    expect(explained.todo[0]).toContain(todo)
    expect(explained.text).toContain(todo)
    if (what === 'grace') {
      expect(explained.graceDaysLeft).toBe(29)
      expect(explained.todo[1]).toContain('Check the network')
    }
  })

  test('and diagnostics() show no secret', async () => {
    const world = makeWorld()
    const { license } = await start(world, { apiKey: 'sk-very-secret' })
    await world.time.settle()
    const said = JSON.stringify([license.explain(), license.diagnostics(), world.lines])
    const stored = JSON.parse(world.folder.files.get('state.json') ?? '{}')
    const jwt = world.folder.files.get('license-cache.jwt') ?? ''
    for (const secret of ['sk-very-secret', stored.instance_token, stored.refresh_token, jwt, 'eyJ']) {
      expect(secret.length).toBeGreaterThan(2)
      expect(said).not.toContain(secret)
    }
  })
})
