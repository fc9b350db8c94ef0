// The command line of operators as processes of their own, against the real server.
import { execFile } from 'node:child_process'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAdminKey } from '../../src/domain/admin-keys/create-admin-key.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { type Outcome, PROGRAM, spawned } from '../support/leasehold-cli.ts'
import { freePort } from '../support/leasehold-process.ts'
import { atTerminal } from '../support/leasehold-terminal.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { createWorld, type World } from '../support/world.ts'

let app: TestApp
let world: World
let folder: string
let env: Record<string, string>
let instance: { id: string; instance_id: string }

/** Logged in by the environment. */
const leasehold = (args: string[], input = '') => spawned(args, input, env)
const here = (args: string[], answers: string[] = []) => atTerminal(args, env, answers)

async function register(instanceId: string, version = '1.0.0'): Promise<void> {
  const { status } = await app.call('POST', '/api/v1/instances/register', {
    body: { instance_id: instanceId, product: 'keldris', hostname: 'dev', server_version: version },
  })
  expect(status).toBe(200)
}

const actionOf = async (id: string): Promise<string> =>
  (await app.admin('GET', `/instances/${id}`)).body.action.action

beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app)
  folder = await temporaryFolder('leasehold-operator-')
  env = {
    LEASEHOLD_SERVER: app.url,
    LEASEHOLD_ADMIN_KEY: app.adminKey,
    XDG_CONFIG_HOME: folder,
    HOME: folder,
  }
  for (const name of ['a', 'b', 'c']) await register(`shop-${name}`)
  await app.call('POST', '/api/v1/licenses/activate', {
    body: { license_key: world.licenseKey, instance_id: 'shop-a', product: 'keldris' },
  })
  instance = (await app.admin('GET', '/instances?instance_id=shop-a')).body[0]
})
afterAll(async () => {
  await app.stop()
  await rm(folder, { recursive: true })
})

describe('leasehold login', () => {
  const file = () => join(folder, 'leasehold', 'profiles.json')
  const bare = () => ({ XDG_CONFIG_HOME: folder })

  test('keeps a key that the server knows, in a file for its owner alone, and says who one is', async () => {
    const login = await spawned(['login', app.url], `${app.adminKey}\n`, bare())
    expect([login.code, login.out, login.err]).toEqual([0, '', expect.stringContaining('role owner')])
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    expect((await stat(dirname(file()))).mode & 0o777).toBe(0o700)
    const who = await spawned(['whoami', '--json'], '', bare())
    expect(JSON.parse(who.out)).toMatchObject({ name: 'test', role: 'owner', status: 'active' })
    expect((await spawned(['whoami'], '', bare())).out).toMatch(/^server +http[\s\S]*^role +owner$/m)
    expect(login.err + who.out).not.toContain(app.adminKey)
  })

  test('asks at a terminal without showing the key, and keeps several profiles apart', async () => {
    const { secret } = await createAdminKey(app.ctx, { name: 'ops', role: 'auditor', expires_at: null })
    const asked = await atTerminal(['login', app.url, '--profile', 'ops'], bare(), [secret])
    expect([asked.code, asked.questions]).toEqual([
      0,
      [{ question: expect.stringContaining('not shown'), hidden: true }],
    ])
    const role = async (...more: string[]) => (await atTerminal(['whoami', ...more], bare())).out
    expect(await role()).toMatch(/auditor/)
    expect(await role('--profile', 'default')).toMatch(/owner/)
    const refused = await atTerminal(['products', 'create', '--code', 'x', '--name', 'x'], bare())
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/403 forbidden[\s\S]*Request req_/),
    ])
    expect((await atTerminal(['logout'], bare())).err).toContain('The current profile is default')
    expect(await role()).toMatch(/owner/)
    expect((await atTerminal(['logout', '--all'], bare())).code).toBe(0)
    expect((await atTerminal(['products', 'list'], bare())).code).toBe(2)
    expect(await readFile(file(), 'utf8')).not.toContain('lak_')
  })

  test('keeps nothing of a wrong key, and says what the server said', async () => {
    const wrong = await spawned(['login', app.url], 'lak_wrong\n', bare())
    expect(wrong).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/not an admin key[\s\S]*admin_key_unknown[\s\S]*lak_[\s\S]*Request req_/),
    })
    expect(wrong.err).not.toContain('lak_wrong')
    expect((await spawned(['login', app.url], '', bare())).code).toBe(2)
  })

  test('sends no key over plain HTTP to another machine, and none where a redirect points', async () => {
    const plain = await atTerminal(['login', 'http://192.0.2.1'], bare(), ['lak_x'])
    expect([plain.code, plain.questions, plain.err]).toEqual([
      2,
      [],
      expect.stringContaining('--allow-insecure'),
    ])
    for (const url of ['ftp://x', 'nonsense', 'https://user:word@x', 'https://x/?q=1']) {
      expect([url, (await atTerminal(['login', url], bare(), ['lak_x'])).code]).toEqual([url, 2])
    }
    let followed = false
    await withServer(
      (request, response) => {
        if (request.url?.includes('elsewhere')) followed = true
        response.writeHead(302, { Location: '/elsewhere' }).end()
      },
      async (url) => {
        const { code, err } = await atTerminal(['login', url], bare(), ['lak_x'])
        expect([code, err]).toEqual([1, expect.stringContaining('another address')])
      },
    )
    expect(followed).toBe(false)
  })

  test('trusts no file that others may read', async () => {
    await writeFile(file(), '{"current":null,"profiles":{}}', { mode: 0o644 })
    const { chmod } = await import('node:fs/promises')
    await chmod(file(), 0o644)
    const { code, err } = await atTerminal(['whoami'], bare())
    expect([code, err]).toEqual([1, expect.stringContaining('chmod 600')])
    await rm(file())
  })
})

describe('a list', () => {
  test('is lines with tabs in a pipe, and the id comes first', async () => {
    const { code, out, err } = await leasehold(['instances', 'list', '--product', 'keldris'])
    expect([code, err]).toEqual([0, ''])
    const lines = out.trimEnd().split('\n')
    expect(lines.map((line) => line.split('\t')[1])).toEqual(['shop-c', 'shop-b', 'shop-a'])
    expect(lines.every((line) => /^ins_[0-9a-f]{32}\t/.test(line) && line.split('\t').length === 9)).toBe(
      true,
    )
    expect(out).not.toContain('\u001b')
  })

  test('is a table on a terminal, with colours unless they are not wanted', async () => {
    const { out } = await here(['licenses', 'list'])
    expect(out).toMatch(/┌[\s\S]*customer[\s\S]*Ada[\s\S]*└/)
    expect(out).toContain('\u001b[32mactive\u001b[0m')
    env.NO_COLOR = '1'
    expect((await here(['licenses', 'list'])).out).not.toContain('\u001b')
    delete env.NO_COLOR
  })

  test('is followed page by page, and its JSON is the server’s, letter by letter', async () => {
    for (let i = 0; i < 5; i += 1) await app.admin('POST', '/customers', { name: `Customer ${i}` })
    const { text } = await app.admin('GET', '/customers?limit=200')
    expect((await leasehold(['customers', 'list', '--all', '--json'])).out).toBe(`${text}\n`)
    const three = await here(['customers', 'list', '--limit', '3', '--json'])
    expect(JSON.parse(three.out)).toEqual(JSON.parse(text).slice(0, 3))
    expect(three.err).toContain('There are more')
    expect((await here(['customers', 'list', '--text', 'Customer 3', '--json'])).out).toContain('Customer 3')
    const events = JSON.parse((await here(['events', '--all', '--json'])).out)
    expect(events).toEqual((await app.admin('GET', '/events?limit=200')).body)
    expect((await here(['anomalies', 'list', '--json'])).out).toBe('[]\n')
  })

  test('goes on over pages of two hundred', async () => {
    const seen: string[] = []
    const rows = Array.from({ length: 450 }, (_, i) => ({ id: `cus_${i}`, name: `N${i}` }))
    await withServer(
      (request, response) => {
        const url = new URL(request.url ?? '', 'http://x')
        const [limit, from] = [Number(url.searchParams.get('limit')), Number(url.searchParams.get('after'))]
        seen.push(`${from}+${limit}`)
        const next = from + limit
        if (next < rows.length) {
          response.setHeader('Link', `</api/v1/admin/customers?limit=${limit}&after=${next}>; rel="next"`)
        }
        response.setHeader('Content-Type', 'application/json')
        response.end(JSON.stringify(rows.slice(from, next)))
      },
      async (url) => {
        const elsewhere = { ...env, LEASEHOLD_SERVER: url }
        const { out } = await atTerminal(['customers', 'list', '--limit', '430', '--json'], elsewhere)
        expect(JSON.parse(out)).toEqual(rows.slice(0, 430))
        expect(seen.splice(0)).toEqual(['0+200', '200+200', '400+30'])
        expect(
          JSON.parse((await atTerminal(['customers', 'list', '--all', '--json'], elsewhere)).out),
        ).toEqual(rows)
      },
    )
  })

  test('cannot rewrite the terminal of its reader', async () => {
    await app.admin('POST', '/customers', { name: 'Eve\u001b[2J\tx' })
    const { out } = await leasehold(['customers', 'list', '--limit', '1'])
    expect(out.split('\t')[1]).toBe('Eve\\u{1b}[2J\\u{9}x')
  })

  test('ends quietly when its reader has had enough', async () => {
    const command = `"${process.execPath}" "${PROGRAM}" audit list --all --json | head -c 1; echo " \${PIPESTATUS[0]}"`
    const { out, err } = await new Promise<{ out: string; err: string }>((resolve) => {
      execFile('bash', ['-c', command], { env: { ...env, PATH: process.env.PATH } }, (_, stdout, stderr) =>
        resolve({ out: stdout, err: stderr }),
      )
    })
    expect([out, err]).toEqual(['[ 0\n', ''])
  })
})

describe('a change', () => {
  test('sells a license from nothing but commands', async () => {
    const made = async (args: string[]) => {
      const { code, out, err } = await here([...args, '--json'])
      expect([args, code, err]).toEqual([args, 0, expect.anything()])
      return JSON.parse(out)
    }
    await made(['products', 'create', '--code', 'desk', '--name', 'Desk', '--instance-auth', 'open'])
    await made(['tiers', 'create', '--product', 'desk', '--code', 'free', '--name', 'Free', '--rank', '0'])
    const tier = await made([
      ...['tiers', 'create', '--product', 'desk', '--code', 'pro', '--name', 'Pro', '--rank', '10'],
      ...['--features', 'oidc,sso', '--limits', 'max_agents=5,max_users=unlimited', '--trial-days', 'none'],
    ])
    expect(tier).toMatchObject({
      features: ['oidc', 'sso'],
      limits: { max_agents: 5, max_users: -1 },
      trial_days: null,
    })
    const customer = await made(['customers', 'create', '--name', 'Grace', '--metadata', '{"crm":7}'])
    const license = await made([
      ...['licenses', 'issue', '--product', 'desk', '--tier', 'pro', '--customer-id', customer.id],
      ...['--expires-at', '2027-01-01T00:00:00Z', '--label', 'Desk for Grace', '--is-trial', 'no'],
    ])
    const key = await leasehold(['license-keys', 'issue', '--license-id', license.id, '--name', 'main'])
    expect([key.code, key.err]).toEqual([
      0,
      expect.stringMatching(/^lk_\w+\. What follows is not shown again/),
    ])
    const activated = await app.call('POST', '/api/v1/licenses/activate', {
      body: { license_key: key.out.trim(), instance_id: 'desk-1', product: 'desk' },
    })
    expect(activated.body).toMatchObject({ status: 'active', tier: 'pro' })
    const renewed = await made(['licenses', 'renew', license.id, '--extend-days', '31'])
    expect(renewed.expires_at).toBe('2027-02-01T00:00:00Z')
    const lists = ['--expires-at', 'none', '--features-added', 'none']
    await made(['licenses', 'change', license.id, ...lists, '--yes'])
    expect((await here(['licenses', 'get', license.id])).out).toMatch(/effective\.limits\.max_users[^\n]*-1/)
  })

  test('answers the request file of a site without a network with a file', async () => {
    const request = {
      kind: 'leasehold-activation-request',
      version: 1,
      product: 'keldris',
      instance_id: 'plant-7',
      nonce: 'q1nW0d9Jm3Tt5hYbL7cKxA',
      created_at: '2026-03-01T12:00:00Z',
      action: 'none',
      action_seq: null,
    }
    const { licenseId } = await world.another()
    const args = ['licenses', 'activate-offline', licenseId, '--request', JSON.stringify(request)]
    const { code, out } = await here([...args, '--days', '30'])
    expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ kind: 'leasehold-activation' })])
    expect((await here(['licenses', 'offline-activations', licenseId])).out).toMatch(/ofa_[0-9a-f]{32}/)
  })

  test('is refused with what is wrong, what to do and where to look', async () => {
    const { code, out, err } = await leasehold(['customers', 'create', '--name', 'x', '--email', 'nobody'])
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/422 invalid_request\)\n {2}email: .+\n.+\nRequest req_\w+\n$/)
    const missing = await leasehold(['licenses', 'get', 'lic_nothing'])
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('404 not_found')])
  })

  test.each([
    [['customers']],
    [['customers', 'destroy']],
    [['customers', 'create']],
    [['customers', 'list', '--nothing', 'x']],
    [['customers', 'list', '--all', '--limit', '3']],
    [['customers', 'list', '--limit', '0']],
    [['customers', 'get']],
    [['customers', 'get', '..']],
    [['tiers', 'create', '--product', 'p', '--code', 'c', '--name', 'n', '--rank', 'ten']],
    [['customers', 'create', '--name', 'x', '--metadata', '{']],
    [['licenses', 'change', 'lic_x', '--is-trial', 'maybe']],
  ])('%j is wrong usage', async (args) => {
    expect((await here(args)).code).toBe(2)
  })

  test('is made once, though the answer is lost, the server busy or not up yet', async () => {
    const keys: (string | undefined)[] = []
    await withServer(
      (request, response) => {
        keys.push(request.headers['idempotency-key']?.toString())
        if (keys.length === 1) return void request.socket.destroy()
        if (keys.length === 2) return void response.writeHead(503, { 'Retry-After': '0' }).end('{}')
        response.writeHead(201, { 'Content-Type': 'application/json' }).end('{"id":"cus_1","name":"x"}')
      },
      async (url) => {
        const elsewhere = { ...env, LEASEHOLD_SERVER: url }
        const { code, out } = await atTerminal(['customers', 'create', '--name', 'x', '--json'], elsewhere)
        expect([code, JSON.parse(out).id]).toEqual([0, 'cus_1'])
        expect(keys).toEqual([expect.stringMatching(/^[\w-]{36}$/), keys[0], keys[0]])
        const deletions = keys.push('from here on')
        await atTerminal(['instances', 'delete', 'ins_1', '--yes'], elsewhere)
        expect(keys.length).toBe(deletions + 1)
      },
    )
  })

  test('is not repeated where it could be done twice', async () => {
    let asked = 0
    await withServer(
      (request) => {
        asked += 1
        request.socket.destroy()
      },
      async (url) => {
        const elsewhere = { ...env, LEASEHOLD_SERVER: url }
        const { code, err } = await atTerminal(['instances', 'delete', 'ins_1', '--yes'], elsewhere)
        expect([code, asked, err]).toEqual([1, 1, expect.stringContaining('cannot be reached')])
      },
    )
  })

  test('says that the server is away', async () => {
    const { code, err } = await spawned(['products', 'list'], '', {
      ...env,
      LEASEHOLD_SERVER: `http://127.0.0.1:${await freePort()}`,
    })
    expect([code, err]).toEqual([1, expect.stringContaining('nothing listens there')])
  })
})

describe('what takes', () => {
  test('is refused without a terminal unless --yes says that it is meant', async () => {
    const args = ['instances', 'kill', instance.id, '--reason', 'chargeback']
    const refused = await leasehold(args)
    expect([refused.code, refused.out]).toEqual([1, ''])
    expect(refused.err).toMatch(/1 instance[\s\S]*shop-a \(keldris\) loses tier pro[\s\S]*--yes/)
    expect(await actionOf(instance.id)).toBe('none')
    const done = await leasehold([...args, '--yes', '--json'])
    expect([done.code, JSON.parse(done.out).action]).toEqual([
      0,
      expect.objectContaining({ action: 'kill', reason: 'chargeback' }),
    ])
    expect((await leasehold(['instances', 'clear', instance.id])).code).toBe(0)
    expect(await actionOf(instance.id)).toBe('none')
  })

  test('shows what would be lost and wants the name typed', async () => {
    const args = ['instances', 'downgrade', instance.id]
    const wrong = await here(args, ['shop-b'])
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('Nothing was changed')])
    expect(wrong.questions).toEqual([{ question: expect.stringContaining('Type shop-a'), hidden: false }])
    expect(await actionOf(instance.id)).toBe('none')
    const right = await here(args, ['shop-a'])
    expect([right.code, right.err]).toEqual([0, expect.stringContaining('loses tier pro for free')])
    expect(await actionOf(instance.id)).toBe('downgrade')
    await here(['instances', 'clear', instance.id])
  })

  test('is asked for in changes too, where they may lower something', async () => {
    const { licenseId, licenseKeyId, apiKeyId } = await world.another()
    const license = () => app.admin('GET', `/licenses/${licenseId}`)
    const tier = (await app.admin('GET', '/tiers?product=keldris')).body.find(
      ({ code }: { code: string }) => code === 'enterprise',
    )
    const { body: relay } = await app.admin('POST', '/relays', {
      customer_id: (await license()).body.customer_id,
      name: 'plant',
    })
    const [product] = (await app.admin('GET', '/products')).body.filter(
      ({ code }: { code: string }) => code === 'keldris',
    )
    const change = ['licenses', 'change', licenseId]
    const share = ['relays', 'share', relay.id, licenseId, '--seats']
    const before = (await license()).text
    for (const args of [
      [...change, '--seat-limit', '0', '--grace-days', '0', '--expires-at', '2026-03-02T12:00:00Z'],
      [...change, '--seat-limit', 'none'],
      [...change, '--features-removed', 'oidc'],
      [...change, '--fingerprint', 'x'],
      ['license-keys', 'rotate', licenseKeyId],
      ['api-keys', 'rotate', apiKeyId, '--overlap-hours', '0'],
      ['tiers', 'change', tier.id, '--limits', 'max_agents=1'],
      ['products', 'change', product.id, '--instance-auth', 'token'],
    ]) {
      const { code, questions, err } = await here(args, ['no'])
      expect([args, code, questions.length, err]).toEqual([args, 1, 1, expect.stringContaining('Nothing')])
    }
    const refused = await leasehold([...change, '--seat-limit', '0'])
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/may lower[\s\S]*Add --yes/)])
    expect(refused.err).not.toContain('--dry-run')
    expect((await license()).text).toBe(before)
    // What gives, or only names, is done at once.
    for (const args of [
      [...change, '--label', 'Plant', '--expires-at', 'none', '--fingerprint', 'none'],
      ['tiers', 'change', tier.id, '--name', 'Enterprise'],
      [...share, '2'],
      [...share, '3'],
    ]) {
      const { code, questions } = await here(args)
      expect([args, code, questions]).toEqual([args, 0, []])
    }
    const fewer = await here([...share, '1'], ['plant'])
    expect([fewer.code, fewer.questions[0]?.question]).toEqual([0, expect.stringContaining('fewer seats')])
    const rotated = await leasehold(['license-keys', 'rotate', licenseKeyId, '--yes'])
    expect([rotated.code, rotated.out.trim().split('\n').length]).toEqual([0, 1])
    expect((await here([...change, '--seat-limit', '1'], ['Plant'])).code).toBe(0)
    expect((await license()).body.effective.seat_limit).toBe(1)
  })

  test('can be tried first, as text and as the server’s JSON', async () => {
    const tried = await leasehold(['licenses', 'suspend', world.licenseId, '--dry-run'])
    expect([tried.code, tried.out]).toEqual([0, expect.stringMatching(/^It concerns 1 instance:/)])
    const json = await leasehold(['licenses', 'suspend', world.licenseId, '--dry-run', '--json'])
    expect(JSON.parse(json.out)).toMatchObject({ dry_run: true, matched: 1 })
    expect((await app.admin('GET', `/licenses/${world.licenseId}`)).body.status).toBe('active')
    const stops = await here(['signing-keys', 'list', '--product', 'keldris', '--use', 'license', '--json'])
    const { kid } = JSON.parse(stops.out)[0]
    const key = await here(['signing-keys', 'revoke', kid, '--dry-run'])
    expect(key.out).toMatch(/would verify nothing any more[\s\S]*leases: 2[\s\S]*a new key signs/)
  })

  test('takes from all that meet a filter, when their number is typed', async () => {
    const args = ['instances', 'downgrade-all', '--text', 'shop-', '--product', 'keldris']
    const wrong = await here(args, ['1'])
    expect([wrong.code, wrong.questions[0]?.question]).toEqual([1, expect.stringContaining('Type 3')])
    expect((await here(args, ['3'])).code).toBe(0)
    expect(await actionOf(instance.id)).toBe('downgrade')
    expect((await leasehold(['instances', 'clear-all', '--text', 'shop-', '--yes'])).code).toBe(0)
    expect(await actionOf(instance.id)).toBe('none')
  })

  test('asks for keys, seats and data too', async () => {
    const { out } = await here([
      'api-keys',
      'issue',
      '--license-id',
      world.licenseId,
      '--name',
      'x',
      '--json',
    ])
    const { id } = JSON.parse(out)
    const revoke = await here(['api-keys', 'revoke', id], [id])
    expect([revoke.code, revoke.out]).toEqual([0, expect.stringContaining('revoked')])
    expect((await leasehold(['instances', 'release-seat', instance.id, world.licenseId])).code).toBe(1)
    const released = await here(['instances', 'release-seat', instance.id, world.licenseId], ['shop-a'])
    expect([released.code, released.out]).toEqual([0, expect.stringContaining('tombstone')])
    const gone = await here(['instances', 'delete', instance.id], ['shop-a'])
    expect([gone.code, gone.out]).toEqual([0, `${instance.id} is gone.\n`])
    expect((await app.admin('GET', `/instances/${instance.id}`)).status).toBe(404)
    const made = JSON.parse(
      (await here(['admins', 'create', '--name', 'n', '--role', 'auditor', '--json'])).out,
    )
    expect((await here(['admins', 'revoke', made.id], ['no'])).code).toBe(1)
    expect((await here(['admins', 'revoke', made.id], [made.id])).code).toBe(0)
  })
})

test('figures come as a table, as JSON and as CSV', async () => {
  expect((await here(['stats'])).out).toMatch(/instances[\s\S]*by_|version/)
  expect((await leasehold(['stats', '--csv'])).out).toMatch(/,.*\r\n/)
  expect(JSON.parse((await here(['stats', '--product', 'keldris', '--json'])).out).product).toBe('keldris')
  const series = ['telemetry', '--product', 'keldris', '--metric', 'agent_count']
  expect(JSON.parse((await here([...series, '--json'])).out)).toMatchObject({
    metric: 'agent_count',
    rows: [],
  })
  await app.services.db.execute(sql`
    insert into telemetry_sums (product_id, metric, grain, dimension, bucket, value, samples, samples_verified,
      increase, increase_verified, gauge_sum, gauge_sum_verified, gauge_max, instances, instances_verified)
    select p.id, 'agent_count', 'hour', 'version', ${app.clock.now().toISOString()}::timestamptz - h * interval '1 hour',
      lpad(v::text, 3, '0'), 1, 0, 0, 0, 5, 0, 5, 1, 0
    from products p, generate_series(0, 20) h, generate_series(1, 500) v where p.code = 'keldris'`)
  const long = [...series, '--bucket', 'hour', '--group-by', 'version']
  const csv = (await here([...long, '--csv'])).out.split('\r\n')
  expect([csv.length, new Set(csv).size, csv.filter((line) => line.startsWith('bucket')).length]).toEqual([
    21 * 500 + 2,
    21 * 500 + 2,
    1,
  ])
  const all = JSON.parse((await here([...long, '--json'])).out)
  expect([all.rows.length, all.next]).toEqual([21 * 500, null])
  expect((await leasehold(long)).out.trimEnd().split('\n')).toHaveLength(21 * 500)
  expect((await here(['trials', 'check', '--product', 'keldris', '--json'])).out).toContain(
    '"eligible":false',
  )
})

test('every operation of the admin API has a command', async () => {
  const { readdir } = await import('node:fs/promises')
  const sources = new URL('../../src/cli/resources/', import.meta.url)
  const commands = new Set<string>()
  for (const file of await readdir(sources)) {
    const { resource } = await import(new URL(file, sources).href)
    for (const { method, path } of Object.values<{ method: string; path: string }>(resource.verbs)) {
      commands.add(`${method} ${path.startsWith('/api/') ? path : `/api/v1/admin${path}`}`)
    }
    const { code, out }: Outcome = await here([resource.name, '--help'])
    expect([resource.name, code, out]).toEqual([resource.name, 0, expect.stringContaining('Usage:')])
  }
  const { body } = await app.call('GET', '/openapi.json')
  const operations = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const known = operations.filter((operation) => operation.includes('/api/v1/admin/'))
  expect(known.filter((operation) => !commands.has(operation))).toEqual([])
  expect([...commands].filter((operation) => !operations.includes(operation))).toEqual([])
})

/** A server that does what it is told, to see what the command does. */
async function withServer(answer: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(answer)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
