// The SDK against the real server in this process: real HTTP, real Postgres, real files. The server's clock is moved by
// hand; the SDK's timers are not waited for, its requests are asked for.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeHost } from '../../src/sdk/host/node.ts'
import type { LicenseOptions } from '../../src/sdk/options.ts'
import type { License } from '../../src/sdk/public/license.ts'
import { startLicenseOn } from '../../src/sdk/start.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

for (const instanceAuth of ['open', 'token'] as const) {
  describe(`a product whose instances are ${instanceAuth}`, () => {
    let app: TestApp
    let world: World
    const lines: string[] = []
    beforeAll(async () => {
      app = await startTestApp()
      world = await createWorld(app, { instanceAuth })
    })
    afterAll(() => app.stop())

    const network = { blocked: false }
    /** A process of the product. */
    const begin = (dataDir: string, more: Partial<LicenseOptions> = {}): Promise<License> => {
      const host = nodeHost({
        // Time as the server has it: both move by the same hand.
        clock: { wall: () => app.clock.now().getTime(), monotonic: () => app.clock.monotonic() },
        fetch: (url, init) => {
          return network.blocked ? Promise.reject(new TypeError('fetch failed')) : fetch(url, init)
        },
        log: {
          info: (line) => lines.push(line),
          warn: (line) => lines.push(line),
          error: (line) => lines.push(line),
        },
      })
      return startLicenseOn(host, {
        product: world.product,
        version: '1.4.0',
        serverUrl: app.url,
        trust: { issuer: app.services.settings.issuer, roots: [app.services.rootPublicKeyHex ?? ''] },
        community: { tier: 'free', limits: { max_agents: 3 } },
        dataDir,
        ...more,
      })
    }
    const folder = () => temporaryFolder('sdk-e2e-')
    const instanceOf = async (license: License) => {
      const { body } = await app.admin('GET', `/instances?product=${world.product}`)
      return body.find((row: { instance_id: string }) => row.instance_id === license.instanceId)
    }
    const act = async (license: License, action: string) => {
      const { id } = await instanceOf(license)
      const answer = await app.admin('POST', `/instances/${id}/action`, { action, reason: 'test' })
      expect(answer.status).toBeLessThan(300)
    }

    for (const kind of ['apiKey', 'licenseKey'] as const) {
      test(`starts with its ${kind}, keeps running without a server, and hears of a revocation`, async () => {
        const own = await world.another()
        const dataDir = await folder()
        const credential = { [kind]: own[kind] }
        const first = await begin(dataDir, credential)
        expect(first).toMatchObject({ state: 'ACTIVE', source: 'online', tier: 'pro' })
        expect(first.has('audit_logs')).toBe(true)
        expect(first.limit('max_agents')).toBe(100)
        await first.refreshNow()
        expect(first.diagnostics().lastFailure).toBeNull()
        await first.stop()
        expect(readdirSync(dataDir).sort()).toEqual([
          'instance-id',
          'key-set.jws',
          'license-cache.jwt',
          'state.json',
        ])

        network.blocked = true
        const second = await begin(dataDir, credential)
        expect(second).toMatchObject({ state: 'ACTIVE', source: 'cache', instanceId: first.instanceId })
        network.blocked = false
        await second.refreshNow()
        expect(second.source).toBe('online')
        app.clock.advance(HOUR)
        await app.admin('POST', `/licenses/${own.licenseId}/suspend`, { reason: 'unpaid' })
        await second.refreshNow()
        expect(second).toMatchObject({ state: 'INVALID', reason: 'license_suspended', tier: 'free' })
        await second.stop()

        network.blocked = true
        const third = await begin(dataDir, credential)
        expect(third).toMatchObject({ state: 'INVALID', reason: 'license_suspended' })
        network.blocked = false
        app.clock.advance(HOUR)
        await app.admin('POST', `/licenses/${own.licenseId}/reinstate`, {})
        await third.refreshNow()
        expect(third).toMatchObject({ state: 'ACTIVE', tier: 'pro' })
        await third.stop({ release: true })
      })

      test(`is killed, downgraded and cleared with its ${kind}`, async () => {
        const own = await world.another()
        const license = await begin(await folder(), { [kind]: own[kind] })
        await license.refreshNow()
        app.clock.advance(HOUR)
        await act(license, 'downgrade')
        await license.refreshNow()
        expect(license).toMatchObject({ downgraded: true, tier: 'free' })
        await license.refreshNow()
        expect((await instanceOf(license)).action).toMatchObject({ acknowledged_at: expect.any(String) })
        app.clock.advance(HOUR)
        await act(license, 'kill')
        await license.refreshNow()
        expect(license).toMatchObject({ killed: true, tier: 'free' })
        app.clock.advance(HOUR)
        await act(license, 'none')
        await license.refreshNow()
        await license.refreshNow()
        expect(license).toMatchObject({ killed: false, downgraded: false, state: 'ACTIVE', tier: 'pro' })
        await license.stop()
      })
    }

    test('follows the rotation of the signing key', async () => {
      const own = await world.another()
      const license = await begin(await folder(), { apiKey: own.apiKey })
      const before = license.diagnostics().keySetNumber ?? 0
      app.clock.advance(HOUR)
      const rotated = await app.admin('POST', '/signing-keys/rotate', {
        product: world.product,
        use: 'license',
      })
      expect(rotated.status).toBeLessThan(300)
      await license.refreshNow()
      expect(license).toMatchObject({ state: 'ACTIVE', source: 'online' })
      expect(license.diagnostics().keySetNumber).toBeGreaterThan(before)
      await license.stop()
    })

    test('fifty rolling restarts are no clone; two copies that run on are one', async () => {
      const own = await world.another({ seat_limit: null })
      const dataDir = await folder()
      const anomalies = async (license: License) => {
        const { body } = await app.admin('GET', '/anomalies?type=instance_cloned')
        const { id } = await instanceOf(license)
        return body.filter((row: Record<string, unknown>) => JSON.stringify(row).includes(id)).length
      }
      let license = await begin(dataDir, { apiKey: own.apiKey })
      for (let i = 0; i < 50; i++) {
        // The next process is there before the last one is gone.
        const next = await begin(dataDir, { apiKey: own.apiKey })
        await license.refreshNow()
        await license.stop()
        app.clock.advance(2 * HOUR)
        await next.refreshNow()
        license = next
      }
      expect(await anomalies(license)).toBe(0)
      await license.stop()

      const copy = await folder()
      await cp(dataDir, copy, { recursive: true })
      const one = await begin(dataDir, { apiKey: own.apiKey })
      const two = await begin(copy, { apiKey: own.apiKey })
      expect(two.instanceId).toBe(one.instanceId)
      for (let i = 0; i < 10; i++) {
        app.clock.advance(6 * HOUR)
        await one.refreshNow()
        app.clock.advance(HOUR)
        await two.refreshNow()
      }
      expect(await anomalies(one)).toBe(1)
      expect([one.state, two.state]).toEqual(['ACTIVE', 'ACTIVE'])
      await one.stop()
      await two.stop()
    })

    test('loses its state file and its token, and proves itself again', async () => {
      const own = await world.another()
      for (const kind of ['apiKey', 'licenseKey'] as const) {
        const dataDir = await folder()
        const credential = { [kind]: own[kind] }
        const license = await begin(dataDir, credential)
        await license.refreshNow()
        await license.stop()
        const path = join(dataDir, 'state.json')
        writeFileSync(path, readFileSync(path, 'utf8').slice(0, 100))
        app.clock.advance(HOUR)
        const again = await begin(dataDir, credential)
        await again.refreshNow()
        expect(again.state).toBe('ACTIVE')
        app.clock.advance(DAY)
        await again.refreshNow()
        expect(again).toMatchObject({ state: 'ACTIVE', source: 'online' })
        expect(again.diagnostics().lastFailure).toBeNull()
        await again.stop({ release: true })
      }
    })

    test('reports without a license, and is heard', async () => {
      const license = await begin(await folder(), { usage: () => ({ agent_count: 2 }) })
      await license.refreshNow()
      expect(license).toMatchObject({ state: 'ABSENT', tier: 'free' })
      expect(license.diagnostics().lastFailure).toBeNull()
      expect(await instanceOf(license)).toMatchObject({ instance_id: license.instanceId })
      await license.stop()
    })
  })
}
