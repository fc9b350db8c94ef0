// A site without a network: its request file and the answer, between the real SDK and the real server, carried by hand.
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateKeyPair } from '../../src/mint/keys.ts'
import { nodeHost } from '../../src/sdk/host/node.ts'
import type { LicenseOptions } from '../../src/sdk/options.ts'
import type { License } from '../../src/sdk/public/license.ts'
import { startLicenseOn } from '../../src/sdk/start.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createWorld, type World } from '../support/world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

let app: TestApp
let world: World
const lines: string[] = []
const running: License[] = []
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, { instanceAuth: 'token' })
})
afterAll(async () => {
  await Promise.all(running.map((license) => license.stop()))
  await app.stop()
})

/** A process of the product; without `serverUrl` nothing is ever sent. */
async function begin(dataDir: string | false, more: Partial<LicenseOptions> = {}): Promise<License> {
  const tell = (line: string) => void lines.push(line)
  const host = nodeHost({
    clock: { wall: () => app.clock.now().getTime(), monotonic: () => app.clock.monotonic() },
    log: { info: tell, warn: tell, error: tell },
  })
  const license = await startLicenseOn(host, {
    product: world.product,
    version: '1.4.0',
    trust: { issuer: app.services.settings.issuer, roots: [app.services.rootPublicKeyHex] },
    community: { tier: 'free', limits: { max_agents: 3 } },
    dataDir,
    ...more,
  })
  running.push(license)
  return license
}
const folder = () => temporaryFolder('sdk-offline-')
const upload = async (of: World, request: string, more: object = {}) => {
  const body = { ...JSON.parse(request), ...more }
  return app.admin('POST', `/licenses/${of.licenseId}/offline-activations`, body)
}
const answerOf = async (of: World, license: License, more: object = {}): Promise<string> => {
  const { status, text } = await upload(of, await license.activationRequest(), more)
  expect([status, text]).toEqual([201, text])
  return text
}
const idOf = async (license: License) =>
  (await app.admin('GET', `/instances?instance_id=${license.instanceId}`)).body[0].id
const act = async (license: License, action: string) => {
  app.clock.advance(HOUR)
  await app.admin('POST', `/instances/${await idOf(license)}/action`, { action, reason: 'test' })
}
const free = { state: 'ABSENT', tier: 'free', source: 'community' }
const pro = { state: 'ACTIVE', tier: 'pro', source: 'offline', killed: false, reason: null }

describe('a site without a network', () => {
  test('asks by a file, installs the answer, and keeps it through restarts to its end and grace', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const first = await begin(dataDir, { licenseKey: own.licenseKey })
    const request = JSON.parse(await first.activationRequest())
    expect(request).toEqual({
      kind: 'leasehold-activation-request',
      version: 1,
      product: 'keldris',
      instance_id: first.instanceId,
      nonce: expect.stringMatching(/^[\w-]{22}$/),
      created_at: app.clock.now().toISOString(),
      action: 'none',
      action_seq: null,
      license_key: own.licenseKey,
      server_version: '1.4.0',
      hostname: expect.any(String),
    })
    await first.stop()
    // The request outlives its process.
    const answer = (await upload(own, JSON.stringify(request), { days: 90 })).text
    const second = await begin(dataDir)
    expect(second).toMatchObject(free)
    const result = await second.installActivation(answer)
    const expiresAt = JSON.parse(answer).expires_at
    expect(result).toEqual({
      ok: true,
      licenseId: own.licenseId,
      tier: 'pro',
      expiresAt: `${expiresAt.slice(0, -1)}.000Z`,
      action: 'none',
    })
    expect(second).toMatchObject(pro)
    expect([second.has('audit_logs'), second.limit('max_agents')]).toEqual([true, 100])
    expect(second.explain()).toMatchObject({
      licenseId: own.licenseId,
      tried: [{ step: 'cache' }, { step: 'activation', outcome: 'verified' }],
    })
    await second.stop()
    for (const name of ['activation.json', 'activation-requests.json']) {
      expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600)
    }
    const third = await begin(dataDir)
    expect(third).toMatchObject(pro)
    app.clock.advance(90 * DAY + HOUR)
    third.explain()
    expect(third).toMatchObject({ state: 'GRACE', reason: 'lease_expired', tier: 'pro' })
    app.clock.advance(31 * DAY)
    third.explain()
    expect(third).toMatchObject({ state: 'EXPIRED', tier: 'free' })
    // The next request renews it.
    expect(await third.installActivation(await answerOf(own, third))).toMatchObject({ ok: true })
    expect(third).toMatchObject(pro)
  })

  test('has one answer to one request, installed once', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const license = await begin(dataDir)
    const request = await license.activationRequest()
    const answers = await Promise.all([upload(own, request), upload(own, request)])
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
    const answer = answers.find(({ status }) => status === 201)?.text ?? ''
    const both = await Promise.all([license.installActivation(answer), license.installActivation(answer)])
    expect(both).toMatchObject([{ ok: true }, { ok: false, reason: 'replayed' }])
    await license.stop()
    const again = await begin(dataDir)
    expect(await again.installActivation(answer)).toMatchObject({ ok: false, reason: 'replayed' })
    expect(again).toMatchObject(pro)
  })

  test('hears the end of a kill from an answer, which nothing is given out before', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const online = await begin(dataDir, { serverUrl: app.url, apiKey: own.apiKey })
    await act(online, 'kill')
    await online.refreshNow()
    expect(online).toMatchObject({ killed: true, tier: 'free' })
    await online.stop()
    const offline = await begin(dataDir)
    expect(offline).toMatchObject({ killed: true })
    const request = await offline.activationRequest()
    expect(JSON.parse(request)).toMatchObject({ action: 'kill', action_seq: expect.any(Number) })
    expect((await upload(own, request)).body).toMatchObject({ status: 409, reason: 'instance_killed' })
    await act(offline, 'none')
    const answer = await upload(own, request)
    expect(answer.body).toMatchObject({ told_action: 'kill', action: 'none' })
    expect(await offline.installActivation(answer.text)).toMatchObject({ ok: true, action: 'none' })
    expect(offline).toMatchObject(pro)
    await offline.stop()
    expect(await begin(dataDir)).toMatchObject({ killed: false, tier: 'pro' })
  })

  test('an answer that was given before a kill was heard does not clear it', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const license = await begin(dataDir, { serverUrl: app.url, apiKey: own.apiKey })
    const answer = await answerOf(own, license)
    await act(license, 'kill')
    await license.refreshNow()
    expect(await license.installActivation(answer)).toMatchObject({ ok: false, reason: 'superseded' })
    expect(license.killed).toBe(true)
    await act(license, 'none')
    await license.refreshNow()
    const later = await answerOf(own, license)
    app.clock.advance(HOUR)
    await app.admin('POST', `/licenses/${own.licenseId}/suspend`, {})
    await license.refreshNow()
    expect(await license.installActivation(later)).toMatchObject({ ok: false, reason: 'superseded' })
    expect(license).toMatchObject({ state: 'INVALID', reason: 'license_suspended' })
    await license.stop()
    expect(await begin(dataDir)).toMatchObject({ state: 'INVALID', reason: 'license_suspended' })
  })

  test('a kill that is heard after the answer was installed stays, also after a restart', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const license = await begin(dataDir, { serverUrl: app.url, apiKey: own.apiKey })
    await license.installActivation(await answerOf(own, license))
    await act(license, 'kill')
    await license.refreshNow()
    expect(license.killed).toBe(true)
    await license.stop()
    expect(await begin(dataDir)).toMatchObject({ killed: true, tier: 'free' })
  })

  test('is downgraded by an answer that says so', async () => {
    const own = await world.another()
    const license = await begin(await folder())
    await license.installActivation(await answerOf(own, license))
    await act(license, 'downgrade')
    expect(await license.installActivation(await answerOf(own, license))).toMatchObject({
      action: 'downgrade',
    })
    expect(license).toMatchObject({ downgraded: true, tier: 'free', reason: 'instance_downgraded' })
  })

  test('processes that share the folder share the answer, whoever installs it', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const leader = await begin(dataDir)
    const follower = await begin(dataDir, { instanceId: leader.instanceId })
    expect(follower.explain().role).toBe('follower')
    expect(await follower.installActivation(await answerOf(own, follower))).toMatchObject({ ok: true })
    expect(follower).toMatchObject(pro)
    const answer = await answerOf(own, leader)
    expect(leader).toMatchObject(pro)
    app.clock.advance(1000)
    expect(await leader.installActivation(answer)).toMatchObject({ ok: true })
    await follower.refreshNow()
    expect(follower).toMatchObject(pro)
  })

  test('without a folder, an answer holds while the process runs', async () => {
    const own = await world.another()
    const license = await begin(false, { instanceId: 'nowhere' })
    expect(await license.installActivation(await answerOf(own, license))).toMatchObject({ ok: true })
    expect(license).toMatchObject(pro)
    expect(lines.filter((line) => line.includes('while this process runs')).length).toBe(2)
  })
})

describe('an answer that is not for this installation', () => {
  test('is refused with its own reason each, and nothing changes', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const license = await begin(dataDir)
    const elsewhere = await begin(await folder())
    const other = await createWorld(app, { product: 'other' })
    const sibling = await begin(await folder(), { product: 'other', instanceId: license.instanceId })
    const good = await answerOf(own, license)
    const { activation, key_set, ...file } = JSON.parse(good)
    const [header, payload = '', signature] = activation.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const changed = (more: object) =>
      [header, Buffer.from(JSON.stringify({ ...claims, ...more })).toString('base64url'), signature].join('.')
    const forgotten = await begin(await folder(), { instanceId: license.instanceId })
    const unasked = await answerOf(own, forgotten)
    const cases: [reason: string, text: string][] = [
      ['wrong_product', await answerOf(other, sibling)],
      ['wrong_instance', await answerOf(own, elsewhere)],
      ['unknown_request', unasked],
      ['tampered', changed({ exp: claims.exp + 1 })],
      ['tampered', JSON.stringify({ ...file, key_set, activation: changed({ instance_id: 'x' }) })],
      ['malformed', claims.grant],
      ['malformed', key_set],
      ['malformed', ''],
      ['malformed', 'no file'],
      ['malformed', good.slice(0, -20)],
      ['malformed', JSON.stringify({ ...file, activation, version: 2 })],
      ['malformed', JSON.stringify({ ...file, activation: 5 })],
      ['malformed', await license.activationRequest()],
    ]
    const before = readdirSync(dataDir).sort()
    for (const [reason, text] of cases) {
      const result = await license.installActivation(text)
      expect([text.slice(0, 40), result.ok ? 'ok' : result.reason]).toEqual([text.slice(0, 40), reason])
      expect(result).toHaveProperty('message', expect.stringMatching(/^[A-Z].+/))
      expect(license).toMatchObject(free)
    }
    // The root's word on the keys counts, whatever came beside it.
    expect(
      readdirSync(dataDir)
        .filter((name) => name !== 'key-set.jws')
        .sort(),
    ).toEqual(before)
    expect(await license.installActivation(good)).toMatchObject({ ok: true })
  })

  test('is refused where another root or issuer is trusted, and after its time', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const license = await begin(dataDir)
    const answer = await answerOf(own, license)
    const { instanceId } = license
    await license.stop()
    const { issuer } = app.services.settings
    const stranger = Buffer.from((await generateKeyPair()).publicKey).toString('hex')
    const copy = async (trust: LicenseOptions['trust']) => {
      const place = await folder()
      cpSync(dataDir, place, { recursive: true })
      rmSync(join(place, 'state.json'))
      return begin(place, { trust, instanceId })
    }
    expect(await (await copy({ issuer, roots: [stranger] })).installActivation(answer)).toMatchObject({
      reason: 'unknown_key',
    })
    const roots = [app.services.rootPublicKeyHex]
    const foreign = await copy({ issuer: 'https://elsewhere.example', roots })
    expect(await foreign.installActivation(answer)).toMatchObject({ reason: 'unknown_key' })
    app.clock.advance(30 * DAY)
    const late = await begin(dataDir)
    expect(await late.installActivation(answer)).toMatchObject({ ok: false, reason: 'expired' })
  })

  test('holds under keys that are pinned by hand, without a root', async () => {
    const own = await world.another()
    const dataDir = await folder()
    const license = await begin(dataDir)
    const { activation } = JSON.parse(await answerOf(own, license))
    expect(await license.installActivation(activation)).toMatchObject({ ok: false, reason: 'unknown_key' })
    await license.stop()
    const keyring = await app.services.keyring.current()
    const keys = (['license', 'control'] as const).map((use) => {
      const { kid, publicKey } = keyring.signer('keldris', use, app.clock.now())
      return { x: Buffer.from(publicKey).toString('hex'), use, kid }
    })
    const trust = { issuer: app.services.settings.issuer, keys }
    const pinned = await begin(dataDir, { trust })
    expect(await pinned.installActivation(activation)).toMatchObject({ ok: true })
    expect(pinned).toMatchObject(pro)
  })
})

describe('an envelope of a license that the server has taken back', () => {
  const envelopeOf = async (of: World): Promise<string> =>
    (await app.admin('POST', `/licenses/${of.licenseId}/envelope`, {})).body.envelope

  test('is INVALID, also where the server is out of reach, until a later one is signed', async () => {
    const own = await world.another({ tenant_id: 'acme' })
    const envelope = await envelopeOf(own)
    const dataDir = await folder()
    const online = await begin(dataDir, { serverUrl: app.url, apiKey: own.apiKey, envelope })
    expect(online).toMatchObject({ state: 'ACTIVE', source: 'online' })
    app.clock.advance(HOUR)
    await app.admin('POST', `/licenses/${own.licenseId}/suspend`, {})
    // A site that the directive has not reached: such an envelope cannot be called back.
    const keyring = await app.services.keyring.current()
    const raw = Buffer.from(keyring.signer('keldris', 'raw', app.clock.now()).publicKey).toString('hex')
    const roots = [app.services.rootPublicKeyHex]
    const trust = { issuer: app.services.settings.issuer, roots, keys: [{ x: raw, use: 'raw' as const }] }
    const meanwhile = await begin(await folder(), { envelope, trust })
    expect(meanwhile).toMatchObject({ state: 'ACTIVE', source: 'offline', tier: 'pro' })
    await online.refreshNow()
    expect(online).toMatchObject({ state: 'INVALID', reason: 'license_suspended', tier: 'free' })
    await online.stop()
    const offline = await begin(dataDir, { envelope })
    expect(offline).toMatchObject({ state: 'INVALID', reason: 'license_suspended', tier: 'free' })
    await offline.stop()
    app.clock.advance(HOUR)
    await app.admin('POST', `/licenses/${own.licenseId}/reinstate`, {})
    const renewed = await begin(dataDir, { envelope: await envelopeOf(own) })
    expect(renewed).toMatchObject({ state: 'ACTIVE', source: 'offline', tier: 'pro' })
  })

  test('falls with the license, and the envelope of another license stays', async () => {
    const own = await world.another({ tenant_id: 'acme' })
    const spare = await world.another({ tenant_id: 'acme' })
    const given = { serverUrl: app.url, apiKey: own.apiKey }
    const falls = await begin(await folder(), { ...given, envelope: await envelopeOf(own) })
    const stays = await begin(await folder(), { ...given, envelope: await envelopeOf(spare) })
    app.clock.advance(HOUR)
    await app.admin('POST', `/licenses/${own.licenseId}/revoke`, {})
    await falls.refreshNow()
    await stays.refreshNow()
    expect(falls).toMatchObject({ state: 'INVALID', reason: 'license_revoked', tier: 'free' })
    expect(stays).toMatchObject({ state: 'ACTIVE', source: 'offline', tier: 'pro' })
  })
})
