import { KeyObject, verify } from 'node:crypto'
// Hostile license JWTs and license keys against every route that takes one, and against the verifiers alone (T4, T8).
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyActivation } from '../../src/license/activation.ts'
import { verifyLicenseJwt } from '../../src/license/license-jwt.ts'
import { importRootKey, importTrustedKey, type PublicKey } from '../../src/license/trusted-keys.ts'
import { unixSeconds } from '../../src/platform/time.ts'
import { type Answer, ISSUER, startTestApp, type TestApp } from '../support/app.ts'
import { query } from '../support/query.ts'
import { claimsOf } from '../support/verify.ts'
import { createWorld, type World } from '../support/world.ts'
import { forgeJws, forgeRaw, type Json, type Signer, SMALL_ORDER_POINTS, serverSigner } from './forge.ts'
import { type GoodToken, type Hostile, hostileJwts } from './hostile-jwts.ts'

const INSTANCE = 'honest-1'
const NONCE = 'n0nce_n0nce_n0nce-1'
let app: TestApp
let world: World
let other: World
let good: GoodToken
let hostile: Hostile[]
let rawSigner: Signer
/** The key of the product's other JWS. */
let control: Pick<GoodToken, 'signer' | 'publicKey' | 'otherKids'> & { kid: string }

beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, { instanceAuth: 'open', license: { expires_at: null, seat_limit: null } })
  other = await createWorld(app, { product: 'other', license: { expires_at: null, seat_limit: null } })
  app.clock.advance(60_000)
  const keyring = await app.services.keyring.reload()
  const license = keyring.signer('keldris', 'license', app.clock.now())
  const controlKey = keyring.signer('keldris', 'control', app.clock.now())
  const raw = keyring.signer('keldris', 'raw', app.clock.now())
  const keyBegins = keyring.trusted.get(license.kid)?.nbf ?? 0
  rawSigner = serverSigner(raw.privateKey)
  const { jwt } = await exchange(world, INSTANCE)
  good = {
    text: jwt,
    header: { alg: 'EdDSA', typ: 'leasehold-license+jwt', kid: license.kid },
    claims: claimsOf(jwt),
    signer: serverSigner(license.privateKey),
    publicKey: license.publicKey,
    keyBegins,
    now: unixSeconds(app.clock.now()),
    otherKids: {
      "another product's key": keyring.signer('other', 'license', app.clock.now()).kid,
      'the control key': controlKey.kid,
      'the raw key': raw.kid,
      'the root key': app.services.rootKey?.kid ?? '',
    },
  }
  control = {
    kid: controlKey.kid,
    signer: serverSigner(controlKey.privateKey),
    publicKey: controlKey.publicKey,
    otherKids: {
      "another product's key": keyring.signer('other', 'control', app.clock.now()).kid,
      'the license key': license.kid,
      'the raw key': raw.kid,
      'the root key': app.services.rootKey?.kid ?? '',
    },
  }
  hostile = await hostileJwts(good)
})
afterAll(() => app.stop())

async function exchange(of: World, instance_id: string): Promise<Json & { jwt: string }> {
  const answer = await app.call('POST', '/api/v1/licenses/token', {
    bearer: of.apiKey,
    body: { instance_id, version: '1', nonce: NONCE },
  })
  expect(answer.status).toBe(200)
  return answer.body
}

const report = () => ({
  instance_id: INSTANCE,
  boot_id: crypto.randomUUID(),
  seq: 0,
  observed_at: app.clock.now().toISOString(),
  metrics: { agent_count: 1 },
})
/** Every route that takes a license JWT as Bearer. */
const ROUTES: Record<string, (bearer: string) => Promise<Answer>> = {
  refresh: (bearer) => send('/licenses/refresh', bearer, { instance_id: INSTANCE, version: '1' }),
  heartbeat: (bearer) => send('/instances/heartbeat', bearer, heartbeat(INSTANCE)),
  telemetry: (bearer) => send('/telemetry', bearer, { reports: [report()] }),
  register: (bearer) => send('/instances/register', bearer, { instance_id: INSTANCE, product: 'keldris' }),
  validate: (bearer) => send('/licenses/validate', bearer, seat(INSTANCE)),
  activate: (bearer) => send('/licenses/activate', bearer, seat(INSTANCE)),
  deactivate: (bearer) => send('/licenses/deactivate', bearer, seat('nobody')),
}
const seat = (instance_id: string) => ({ instance_id, product: 'keldris', license_key: world.licenseKey })
const heartbeat = (instance_id: string) => ({
  instance_id,
  product: 'keldris',
  reported_tier: 'pro',
  has_valid_entitlement: true,
  metrics: {},
})
const send = (path: string, bearer: string, body: object) =>
  app.call('POST', `/api/v1${path}`, { headers: { Authorization: `Bearer ${latin1(bearer)}` }, body })
/** What fetch can put in a header: UTF-8, read byte by byte. */
const latin1 = (text: string) => Buffer.from(text).toString('latin1')

const GIVES = ['jwt', 'entitlement_token', 'directive', 'action', 'config', 'instance_token', 'refresh_token']

/** What is issued for a site without a network. */
async function offline(instance_id: string): Promise<{ envelope: string; activation: string }> {
  const path = `/licenses/${world.licenseId}`
  await app.admin('PATCH', path, { tenant_id: 'acme' })
  const { body } = await app.admin('POST', `${path}/offline-activations`, {
    kind: 'leasehold-activation-request',
    version: 1,
    product: 'keldris',
    instance_id,
    nonce: crypto.randomUUID(),
    created_at: app.clock.now().toISOString(),
    action: 'none',
    action_seq: null,
  })
  return { ...(await app.admin('POST', `${path}/envelope`)).body, activation: body.activation }
}

describe('the routes that take a license JWT', () => {
  test('take a good one, and one that is signed anew: the suite can fail', async () => {
    const anew = await forgeJws(good.signer, good.header, good.claims)
    expect(anew).toBe(good.text)
    for (const [name, call] of Object.entries(ROUTES)) {
      if (name === 'deactivate') continue
      expect([name, (await call(anew)).status]).toEqual([name, 200])
    }
  })

  test('face at least 60 hostile tokens, each different', () => {
    // Two ways of altering a signature may meet in one text, as chance has it.
    expect(new Set(hostile.map(([, token]) => token)).size).toBeGreaterThan(hostile.length - 3)
    expect(new Set(hostile.map(([name]) => name)).size).toBe(hostile.length)
    expect(hostile.length).toBeGreaterThan(130)
  })

  test.each(Object.keys(ROUTES))(
    '%s refuses every one, gives nothing, and says nothing of why',
    async (name) => {
      const [before] = await query(app.databaseUrl, 'select count(*)::int as n from reports')
      const details = new Set<string>()
      for (const [what, token] of hostile) {
        const answer = await (ROUTES[name] as (bearer: string) => Promise<Answer>)(token)
        expect([what, answer.status]).toEqual([what, 401])
        expect([what, GIVES.filter((member) => member in answer.body)]).toEqual([what, []])
        details.add(answer.body.detail)
      }
      // Malformed, not accepted, expired: whoever tries learns no more than that.
      expect(details.size).toBeLessThanOrEqual(3)
      const [after] = await query(app.databaseUrl, 'select count(*)::int as n from reports')
      expect(after).toEqual(before)
    },
  )

  test('know no other secret that a Bearer header could carry in its place', async () => {
    const { body } = await send('/licenses/activate', world.licenseKey, seat('honest-2')).then(() =>
      app.call('POST', '/api/v1/licenses/activate', { body: { ...seat('honest-2'), nonce: NONCE } }),
    )
    const keySet = (await app.call('GET', '/.well-known/leasehold-keys')).text
    const { envelope, activation } = await offline('honest-2')
    const { directive, entitlement_token, refresh_token } = body
    const purposes = [
      directive,
      entitlement_token,
      world.licenseKey,
      keySet,
      refresh_token,
      envelope,
      activation,
    ]
    for (const token of purposes) {
      expect(typeof token).toBe('string')
      for (const [name, call] of Object.entries(ROUTES)) {
        expect([name, (await call(token)).status]).toEqual([name, 401])
      }
    }
  })

  test("another instance's token speaks for nobody else", async () => {
    const { jwt } = await exchange(world, 'honest-3')
    for (const name of ['refresh', 'heartbeat', 'register', 'validate', 'activate']) {
      const answer = await ROUTES[name]?.(jwt)
      expect([name, answer?.status, answer?.body.error]).toEqual([name, 403, 'instance_mismatch'])
    }
    expect((await ROUTES.telemetry?.(jwt))?.body.rejected).toEqual([{ index: 0, error: 'instance_mismatch' }])
  })

  test("another product's token speaks for no instance of this one", async () => {
    const { jwt } = await exchange(other, INSTANCE)
    for (const name of ['heartbeat', 'register', 'validate', 'activate']) {
      expect([name, (await ROUTES[name]?.(jwt))?.status]).toEqual([name, 403])
    }
  })
})

describe('a license JWT at the end of its time, on a clock that only the test moves', () => {
  const age = async (seconds: number) => {
    const now = unixSeconds(app.clock.now())
    return forgeJws(good.signer, good.header, { ...good.claims, iat: now - 60, exp: now + seconds })
  }
  const status = async (name: string, token: string) => (await ROUTES[name]?.(token))?.status

  test.each(['heartbeat', 'telemetry', 'register', 'validate', 'activate'])(
    '%s takes it one second before exp, and not at exp',
    async (name) => {
      expect(await status(name, await age(1))).toBe(200)
      expect(await status(name, await age(0))).toBe(401)
    },
  )

  test('refresh takes it through its grace, and not one second longer', async () => {
    const now = unixSeconds(app.clock.now())
    const claims = { ...good.claims, iat: good.keyBegins, grace_days: 1, license_exp: now }
    const beside = {
      instance_id: INSTANCE,
      version: '1',
      refresh_token: (await exchange(world, INSTANCE)).refresh_token,
    }
    const at = async (exp: number) => {
      const token = await forgeJws(good.signer, good.header, { ...claims, iat: exp - 1, exp })
      return (await send('/licenses/refresh', token, beside)).status
    }
    app.clock.advance(3 * 86_400_000)
    const later = unixSeconds(app.clock.now())
    claims.license_exp = later
    expect(await at(later - 86_400)).toBe(200)
    expect(await at(later - 86_400 - 1)).toBe(401)
  })
})

describe('license keys in a body', () => {
  const licenseKey = (): Json => {
    const [payload = ''] = world.licenseKey.split('.')
    return JSON.parse(Buffer.from(payload, 'base64url').toString())
  }
  const activate = (license_key: string) =>
    app.call('POST', '/api/v1/licenses/activate', {
      body: { instance_id: 'honest-4', product: 'keldris', license_key },
    })

  test('that are good are taken, signed anew too', async () => {
    const anew = await forgeRaw(rawSigner, licenseKey())
    expect(anew).toBe(world.licenseKey)
    expect((await activate(anew)).body.status).toBe('active')
  })

  test('that are not this license key are 400 or 404, and give nothing', async () => {
    const key = licenseKey()
    const [payload = '', signature = ''] = world.licenseKey.split('.')
    const entitlement = (await activate(world.licenseKey)).body.entitlement_token
    const tokens = await Promise.all([
      forgeRaw(good.signer, key),
      forgeRaw(rawSigner, { ...key, tier: 'enterprise' }),
      forgeRaw(rawSigner, { ...key, offline: true }),
      forgeRaw(rawSigner, { ...key, product: 'other' }),
      forgeRaw(rawSigner, { ...key, license_id: 'lic_1' }),
      forgeRaw(rawSigner, { ...key, nonce: 'x' }),
      forgeRaw(rawSigner, { ...key, features: ['sso_sync'] }),
      forgeRaw(rawSigner, { ...key, issued_at: good.keyBegins - 1 }),
      forgeRaw(rawSigner, JSON.stringify(key).replace('{', '{"tier":"enterprise",')),
      forgeRaw(rawSigner, ` ${JSON.stringify(key)}`),
      forgeRaw(() => new Uint8Array(), key),
      world.licenseKey.slice(0, -1),
      `${world.licenseKey}=`,
      `${payload}.${signature}.${signature}`,
      `${payload}.`,
      other.licenseKey,
      entitlement,
      good.text,
      `${payload}.${Buffer.from(signature, 'base64url').toString('base64')}`,
    ])
    for (const token of tokens) {
      const { status, body } = await activate(token)
      expect([400, 404]).toContain(status)
      expect(GIVES.filter((member) => member in body)).toEqual([])
    }
  })
})

describe('the verifier alone', () => {
  test('takes the good token and none of the hostile ones, for any product', async () => {
    const { trusted } = await app.services.keyring.current()
    const verify = (token: string, product: string | null) =>
      verifyLicenseJwt(token, {
        issuer: ISSUER,
        product,
        keys: trusted,
        acceptRetired: true,
        age: 'within_grace',
        now: good.now,
      })
    const large = `${good.text}${'A'.repeat(65_536)}`
    for (const product of ['keldris', null]) {
      expect((await verify(good.text, product)).ok).toBe(true)
      const passed: string[] = []
      for (const [what, token] of [...hostile, ['over 64 KiB', large] satisfies Hostile]) {
        if ((await verify(token, product)).ok) passed.push(what)
      }
      // What only the server's records can tell: ids that have no such form here.
      expect(passed).toEqual(['a license_id that is none', 'a seat that is none'])
    }
  })

  test('takes the good offline answer and none of the hostile ones, nor those as its grant', async () => {
    const { activation } = await offline(INSTANCE)
    const claims = claimsOf(activation)
    const header = { ...good.header, typ: 'leasehold-activation+jwt', kid: control.kid }
    const { trusted: keys } = await app.services.keyring.current()
    const now = unixSeconds(app.clock.now())
    const expected = { issuer: ISSUER, product: 'keldris', instanceId: INSTANCE, keys, now }
    const verify = (token: string) => verifyActivation(token, { ...expected, age: 'unexpired' })
    expect((await verify(activation)).ok).toBe(true)
    expect(await forgeJws(control.signer, header, claims)).toBe(activation)
    const passed: string[] = []
    for (const [what, token] of await hostileJwts({
      ...good,
      ...control,
      text: activation,
      header,
      claims,
      now,
    })) {
      if ((await verify(token)).ok) passed.push(what)
    }
    for (const [what, grant] of hostile) {
      if ((await verify(await forgeJws(control.signer, header, { ...claims, grant }))).ok)
        passed.push(`${what}, granted`)
    }
    // Members that an answer does not have, or has by right; its own are held by the diagonal test.
    const ofLicense = /^(no )?(grace_days|features|limits|quotas|sub|jti|tier)\b|^a seat|of a directive$/
    expect(passed.filter((what) => !ofLicense.test(what))).toEqual(['typ "leasehold-activation+jwt"'])
  })

  test('cannot be given a key under which one signature fits many texts', async () => {
    const role = { product: 'keldris', use: 'license', status: 'active', nbf: 0 } as const
    for (const point of SMALL_ORDER_POINTS) {
      const imported = await importTrustedKey(point, role, String(good.header.kid))
      const root = await importRootKey(point)
      if (root.ok) expect(await takesZero(root.key.publicKey)).toBe(false)
      if (imported.ok) expect(await takesZero(imported.key.publicKey)).toBe(false)
    }
  })
})

/** Whether one of the small points with S = 0 passes, on either path, as a signature of one of many texts. */
async function takesZero(key: PublicKey): Promise<boolean> {
  for (let text = 0; text < 4; text += 1) {
    for (const point of SMALL_ORDER_POINTS) {
      const signature = new Uint8Array(Buffer.concat([point, Buffer.alloc(32)]))
      const data = new Uint8Array([text])
      if (await crypto.subtle.verify('Ed25519', key, signature, data)) return true
      if (verify(null, data, KeyObject.from(key), signature)) return true
    }
  }
  return false
}
