// The example product against the real server, both as processes of their own: what its routes, its /license page and
// its log say while the server goes and comes back, and while an admin kills, downgrades and clears the instance.
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  credentialsIn,
  freePort,
  type LeaseholdProcess,
  type StoredCredentials,
  until,
  workplace,
} from '../support/leasehold-process.ts'

vi.setConfig({ testTimeout: 60_000 })

const PROGRAM = resolve(import.meta.dirname, 'example/server.ts')

const place = workplace()
let dataDir: string
let server: LeaseholdProcess
let credentials: StoredCredentials
let product: Product

beforeAll(async () => {
  dataDir = await place.dataDir()
  server = await place.start({ dataDir })
  credentials = await credentialsIn(dataDir)
  product = await startProduct()
})
afterAll(async () => {
  await product.stop('SIGKILL')
  await place.clear()
})

interface Product {
  /** Everything it has logged so far. */
  log(): string
  get(path: string): Promise<{ status: number; text: string }>
  post(path: string): Promise<{ status: number; text: string }>
  stop(signal: NodeJS.Signals): Promise<number | null>
}

async function startProduct(): Promise<Product> {
  const port = await freePort()
  const child: ChildProcess = spawn(process.execPath, [PROGRAM], {
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      LICENSE_SERVER_URL: server.url,
      LEASEHOLD_DATA_DIR: dataDir,
      EXAMPLE_DATA_DIR: join(dataDir, 'example'),
    },
  })
  let written = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      written += chunk.toString()
    })
  }
  const ended = new Promise<number | null>((done) => child.once('close', done))
  const call = async (method: string, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method })
    return { status: answer.status, text: await answer.text() }
  }
  await until(() => {
    if (child.exitCode !== null) throw new Error(`it ended:\n${written}`)
    return written.includes('listening on')
  }, 15_000)
  return {
    log: () => written,
    get: (path) => call('GET', path),
    post: (path) => call('POST', path),
    async stop(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      return ended
    },
  }
}

async function admin(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${server.url}/api/v1/admin${path}`, {
    method,
    headers: { Authorization: `Bearer ${credentials.admin_key}`, 'Content-Type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

/** The admin orders something, and the product asks its server. */
async function order(action: 'kill' | 'downgrade' | 'none'): Promise<string> {
  const [instance] = (await admin('GET', '/instances')) as { id: string }[]
  await admin('POST', `/instances/${instance?.id}/action`, { action, reason: 'unpaid' })
  return (await product.post('/license/check')).text
}

const statuses = async () =>
  Promise.all(['/audit-log', '/branding'].map(async (path) => (await product.get(path)).status))

describe('the example product', () => {
  test('has what its tier gives, and is told what it lacks', async () => {
    expect(await statuses()).toEqual([200, 402])
    expect(JSON.parse((await product.get('/branding')).text)).toEqual({
      error: 'feature_not_licensed',
      feature: 'white_label',
      tier: 'pro',
      reason: 'not_in_tier',
      fix: 'Get a license that includes white_label.',
    })
    expect((await product.post('/agents')).status).toBe(201)
    expect((await product.post('/agents')).status).toBe(201)
    const page = (await product.get('/license')).text
    expect(page).toContain('License ACTIVE: tier pro from online')
    expect(page).toContain('max_agents = 100 (online)')
  })

  test('keeps everything while the server is away, and says so', async () => {
    await server.stop()
    product.post('/license/check').catch(() => {})
    await until(() => product.log().includes('WARNING License refresh failed: fetch failed'))
    const page = (await product.get('/license')).text
    expect(page).toContain('License ACTIVE: tier pro from online')
    expect(page).toContain('server_unreachable')
    expect(page).toMatch(/To do:\n\s+- .*license server/)
    expect(await statuses()).toEqual([200, 402])
  })

  test('restarted while the server is away, it goes on from its cache', async () => {
    expect(await product.stop('SIGTERM')).toBe(0)
    product = await startProduct()
    await until(() => product.log().includes('Using cached license (API key fetch failed)'))
    expect((await product.get('/license')).text).toContain('License ACTIVE: tier pro from cache')
    expect(await statuses()).toEqual([200, 402])
  })

  test('is back in touch as soon as the server is', async () => {
    server = await place.start({ dataDir, port: server.port })
    const page = (await product.post('/license/check')).text
    expect(page).toContain('License ACTIVE: tier pro from online')
    expect(page).toContain('To do: none')
    expect(product.log()).toContain('License granted: tier pro')
  })

  test('killed by an admin, it falls to its community tier at the next contact', async () => {
    await product.post('/agents')
    const page = await order('kill')
    expect(page).toContain('License ACTIVE (instance_killed): tier community from community, killed')
    expect(page).toContain('Ask your vendor to clear the action of this instance.')
    expect(product.log()).toContain('WARNING The vendor has switched this instance off')
    expect(await statuses()).toEqual([402, 402])
    const refused = JSON.parse((await product.get('/audit-log')).text)
    expect(refused).toMatchObject({ tier: 'community', reason: 'instance_killed' })
    const overLimit = await product.post('/agents')
    expect([overLimit.status, JSON.parse(overLimit.text)]).toEqual([
      403,
      {
        error: 'limit_reached',
        limit: 'max_agents',
        current: 1,
        allowed: 1,
        tier: 'community',
        reason: 'instance_killed',
        fix: 'Ask your vendor to clear the action of this instance.',
      },
    ])
  })

  test('killed, it stays so through a restart without its server', async () => {
    await server.stop()
    await product.stop('SIGKILL')
    product = await startProduct()
    expect((await product.get('/license')).text).toContain('tier community from community, killed')
    expect(await statuses()).toEqual([402, 402])
    server = await place.start({ dataDir, port: server.port })
  })

  test('cleared, it has everything back', async () => {
    const page = await order('none')
    expect(page).toMatch(/License ACTIVE: tier pro from (cache|online)/)
    expect(product.log()).toContain('The vendor has cleared the action of this instance')
    expect(product.log()).toContain('+audit_logs')
    expect(await statuses()).toEqual([200, 402])
  })

  test('downgraded and cleared, it goes to its community tier and back', async () => {
    expect(await order('downgrade')).toContain('tier community from community, downgraded')
    expect(await statuses()).toEqual([402, 402])
    expect(product.log()).toContain('WARNING The vendor has downgraded this instance (unpaid)')
    expect(await order('none')).toContain('License ACTIVE: tier pro')
    expect(await statuses()).toEqual([200, 402])
  })
})
