// The live channel between SDK and the real server: real sockets, the SDK's own timers. What an admin does takes effect
// within two seconds, with no request asked for by hand. The server's clock stands still but where a test moves it.
import { execFile } from 'node:child_process'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { nodeHost } from '../../src/sdk/host/node.ts'
import type { LicenseOptions } from '../../src/sdk/options.ts'
import type { License } from '../../src/sdk/public/license.ts'
import { startLicenseOn } from '../../src/sdk/start.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createWorld, type World } from '../support/world.ts'

const WITHIN = 2_000

let app: TestApp
const worlds: Partial<Record<'open' | 'token', World>> = {}
const licenses: License[] = []
beforeAll(async () => {
  app = await startTestApp({ sync: {} })
  offer(app)
  for (const instanceAuth of ['open', 'token'] as const) {
    worlds[instanceAuth] = await createWorld(app, { product: `keldris-${instanceAuth}`, instanceAuth })
  }
})
afterEach(async () => {
  for (const license of licenses.splice(0)) await license.stop()
})
afterAll(() => app.stop())

/** As run.ts does from PUBLIC_URL. */
function offer(on: TestApp): void {
  on.services.settings.syncUrl = `${on.url.replace(/^http/, 'ws')}/api/v1/sync`
}

async function begin(world: World, more: Partial<LicenseOptions> = {}): Promise<License> {
  const host = nodeHost({
    clock: { wall: () => app.clock.now().getTime(), monotonic: () => performance.now() },
    // Pauses by chance are as short as chance allows.
    random: (count) => (count === 2 ? Uint8Array.of(4, 0) : crypto.getRandomValues(new Uint8Array(count))),
    log: { info() {}, warn() {}, error() {} },
  })
  const license = await startLicenseOn(host, {
    product: world.product,
    version: '1.4.0',
    serverUrl: app.url,
    trust: { issuer: app.services.settings.issuer, roots: [app.services.rootPublicKeyHex ?? ''] },
    community: { tier: 'free', limits: { max_agents: 3 } },
    dataDir: await temporaryFolder('sdk-live-'),
    ...more,
  })
  licenses.push(license)
  return license
}

const isOpen = (license: License) => () => license.diagnostics().sync.state === 'open'
const admin = async (path: string, body: object = {}, method = 'POST') => {
  // Signed times are whole seconds.
  app.clock.advance(1_000)
  const { status, text } = await app.admin(method, path, body)
  expect(status, text).toBeLessThan(300)
}
const idOf = async (license: License, { product }: World): Promise<string> => {
  const { body } = await app.admin('GET', `/instances?product=${product}`)
  return body.find((row: { instance_id: string }) => row.instance_id === license.instanceId).id
}

for (const auth of ['open', 'token'] as const) {
  for (const kind of ['apiKey', 'licenseKey'] as const) {
    test(`with an ${kind}, instances ${auth}: what an admin does takes effect within two seconds`, async () => {
      const world = await worlds[auth]?.another()
      if (!world) throw new Error('no world')
      const license = await begin(world, { [kind]: world[kind] })
      await until(isOpen(license))
      const id = await idOf(license, world)
      const took: number[] = []
      const step = async (act: () => Promise<void>, came: () => boolean) => {
        const from = performance.now()
        await act()
        await until(came, WITHIN)
        took.push(Math.round(performance.now() - from))
      }
      const path = `/licenses/${world.licenseId}`
      await step(
        () => admin(path, { tier: 'enterprise' }, 'PATCH'),
        () => license.tier === 'enterprise' && license.limit('max_agents') === Number.POSITIVE_INFINITY,
      )
      await step(
        () => admin(`/instances/${id}/action`, { action: 'kill', reason: 'test' }),
        () => license.killed && license.tier === 'free',
      )
      await step(
        () => admin(`/instances/${id}/action`, { action: 'none', reason: 'test' }),
        () => !license.killed && license.tier === 'enterprise',
      )
      await step(
        () => admin(`${path}/suspend`),
        () => license.state === 'INVALID' && license.reason === 'license_suspended',
      )
      await step(
        () => admin(`${path}/reinstate`),
        () => license.state === 'ACTIVE' && license.source === 'online',
      )
      await step(
        () => admin(`${path}/revoke`, { reason: 'test' }),
        () => license.state === 'INVALID' && !license.has('audit_logs'),
      )
      process.stdout.write(`upgrade, kill, clear, suspend, reinstate, revoke: ${took.join(', ')} ms\n`)
    })
  }
}

test('a server that restarts is found again, and tells what happened in between', async () => {
  const world = await worlds.token?.another()
  if (!world) throw new Error('no world')
  const first = await startTestApp({ beside: app, sync: {} })
  const port = await switchboard(first.url)
  first.services.settings.syncUrl = `${port.url.replace('http', 'ws')}/api/v1/sync`
  const license = await begin(world, { apiKey: world.apiKey, serverUrl: port.url })
  await until(isOpen(license))
  const { lastEvent } = license.diagnostics().sync
  await first.stop()
  await until(() => license.diagnostics().sync.state === 'waiting')
  await admin(`/licenses/${world.licenseId}/suspend`)
  expect(license.state).toBe('ACTIVE')
  const second = await startTestApp({ beside: app, sync: {} })
  port.to(second.url)
  await until(() => license.reason === 'license_suspended')
  expect(license.diagnostics().sync).toMatchObject({ state: 'open', malformed: 0 })
  expect(license.diagnostics().sync.lastEvent).toBeGreaterThan(lastEvent ?? Number.POSITIVE_INFINITY)
  await license.stop()
  expect(license.diagnostics().sync.state).toBe('off')
  await second.stop()
  port.close()
})

test('the instance token is what is shown; where it is replaced, the new one takes its place', async () => {
  const world = await worlds.token?.another()
  if (!world) throw new Error('no world')
  const license = await begin(world, { apiKey: world.apiKey })
  await until(isOpen(license))
  await admin(`/instances/${await idOf(license, world)}/reset-token`)
  // The socket ends, the hint that this is makes a request, and that brings another token.
  await until(() => license.diagnostics().sync.state !== 'open')
  await until(isOpen(license))
  await admin(`/licenses/${world.licenseId}/suspend`)
  // The hint before it was empty: the one after it may have to wait five seconds.
  await until(() => license.reason === 'license_suspended', 5000 + WITHIN)
})

test('an address that is not the server’s is not connected to, and `sync: false` connects to none', async () => {
  const world = await worlds.open?.another()
  if (!world) throw new Error('no world')
  const off = await begin(world, { apiKey: world.apiKey, sync: false })
  await off.refreshNow()
  expect(off.diagnostics().sync.state).toBe('off')
  let connections = 0
  const stranger = createServer((socket) => {
    connections += 1
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await until(() => stranger.listening)
  app.services.settings.syncUrl = `ws://127.0.0.1:${(stranger.address() as AddressInfo).port}/api/v1/sync`
  try {
    const license = await begin(world, { apiKey: world.apiKey })
    await license.refreshNow()
    expect(license.diagnostics().sync.state).toBe('off')
    expect(connections).toBe(0)
  } finally {
    offer(app)
    stranger.close()
  }
})

test('an open channel keeps no process alive', async () => {
  const world = await worlds.open?.another()
  if (!world) throw new Error('no world')
  const start = resolve(import.meta.dirname, '../../src/sdk/host/node-start.ts')
  const { issuer } = app.services.settings
  const program = `
    import { startLicense } from ${JSON.stringify(start)}
    const license = await startLicense({
      product: '${world.product}', version: '1', serverUrl: '${app.url}', dataDir: false, apiKey: '${world.apiKey}',
      trust: { issuer: '${issuer}', roots: ['${app.services.rootPublicKeyHex}'] }, log: { info() {}, warn() {}, error() {} },
    })
    while (license.diagnostics().sync.state !== 'open') await new Promise((done) => setTimeout(done, 10))
    console.log('open')`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', program],
    { timeout: 10_000 },
  )
  expect(stdout).toBe('open\n')
})

/** One address, behind which a server goes and another comes. */
async function switchboard(first: string) {
  let target = Number(new URL(first).port)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    near.pipe(far)
    far.pipe(near)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await until(() => server.listening)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    to(url: string) {
      target = Number(new URL(url).port)
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
