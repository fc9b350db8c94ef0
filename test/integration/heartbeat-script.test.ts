import { spawn } from 'node:child_process'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { caller } from '../support/app.ts'
import {
  credentialsIn,
  freePort,
  type LeaseholdProcess,
  type StoredCredentials,
  workplace,
} from '../support/leasehold-process.ts'

const SCRIPT = resolve(import.meta.dirname, '../../scripts/test-heartbeat.sh')
// Real processes, each with a database to make: slow where the machine is busy.
vi.setConfig({ testTimeout: 60_000 })

const place = workplace()
let dataDir: string
let server: LeaseholdProcess
let credentials: StoredCredentials

beforeAll(async () => {
  dataDir = await place.dataDir()
  server = await place.start({ dataDir })
  credentials = await credentialsIn(dataDir)
})

afterAll(() => place.clear())

interface Run {
  code: number | null
  lines: string[]
  last: string | undefined
}

function run(url: string, env: Record<string, string> = {}): Promise<Run> {
  return new Promise((done, reject) => {
    const child = spawn('bash', [SCRIPT, url], { env: { PATH: process.env.PATH, ...env }, cwd: '/' })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const lines = output.trimEnd().split('\n')
      done({ code, lines, last: lines.at(-1) })
    })
  })
}

const admin = (path: string) =>
  caller(server.url)('GET', `/api/v1/admin${path}`, { bearer: credentials.admin_key })

describe('scripts/test-heartbeat.sh', () => {
  test('passes all ten tests with the credentials of the data folder or the environment, time and again', async () => {
    const keys = { TEST_LICENSE_KEY: credentials.license_key, ADMIN_KEY: credentials.admin_key }
    for (const env of [{ LEASEHOLD_DATA_DIR: dataDir }, keys]) {
      const { code, lines, last } = await run(server.url, env)
      expect(last, lines.join('\n')).toBe('10 passed, 0 failed, 0 skipped')
      expect(code).toBe(0)
      expect(lines.filter((line) => /^ok {4} ?\d+ {2}\S/.test(line))).toHaveLength(10)
    }
  })

  test('leaves no action, no seat, and the anomalies that it provoked', async () => {
    const instances = (await admin('/instances')).body
    expect(instances).toHaveLength(2)
    for (const instance of instances) {
      expect(instance).toMatchObject({ action: { action: 'none' }, licenses: [] })
      expect(instance.deactivated_at).not.toBeNull()
      const found = (await admin(`/anomalies?instance=${instance.id}`)).body
      expect(found.map((anomaly: { type: string }) => anomaly.type).sort()).toEqual(
        expect.arrayContaining(['no_entitlement_premium_usage', 'tier_mismatch']),
      )
    }
  })

  test('skips what it has no key for', async () => {
    const nothing = await run(server.url)
    expect(nothing).toMatchObject({ code: 0, last: '2 passed, 0 failed, 8 skipped' })
    const adminOnly = await run(server.url, { ADMIN_KEY: credentials.admin_key })
    expect(adminOnly).toMatchObject({ code: 0, last: '6 passed, 0 failed, 4 skipped' })
  })

  test('fails where a key is wrong', async () => {
    const env = { TEST_LICENSE_KEY: `${credentials.license_key}x`, ADMIN_KEY: credentials.admin_key }
    const { code, lines, last } = await run(server.url, env)
    expect(code).toBe(1)
    expect(last).toBe('6 passed, 4 failed, 0 skipped')
    expect(lines.filter((line) => line.startsWith('FAIL')).map((line) => line.slice(6, 8))).toEqual([
      ' 2',
      ' 3',
      ' 9',
      '10',
    ])
  })

  test('fails where nobody answers', async () => {
    const { code, last } = await run(`http://127.0.0.1:${await freePort()}`, { LEASEHOLD_DATA_DIR: dataDir })
    expect(code).toBe(1)
    expect(last).toBe('0 passed, 10 failed, 0 skipped')
  })
})

describe('behind a server that lies', () => {
  let liar: Server
  let seen: string[]
  /** Replaces the body of answers to paths that begin so. */
  let lies: Record<string, unknown>

  beforeAll(async () => {
    liar = createServer((incoming, outgoing) => {
      seen.push(incoming.headers.authorization ?? '')
      const path = incoming.url ?? ''
      const options = { port: server.port, method: incoming.method, path, headers: incoming.headers }
      const forwarded = request({ host: '127.0.0.1', ...options }, (answer) => {
        const lie = Object.entries(lies).find(([start]) => path.startsWith(start))
        if (!lie) {
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
          answer.pipe(outgoing)
          return
        }
        answer.resume()
        outgoing.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(lie[1]))
      })
      incoming.pipe(forwarded)
    })
    await new Promise<void>((done) => liar.listen(0, '127.0.0.1', done))
  })

  afterAll(() => {
    liar.close()
    liar.closeAllConnections()
  })

  const ask = (given: Record<string, unknown>) => {
    lies = given
    seen = []
    const env = { TEST_LICENSE_KEY: credentials.license_key, ADMIN_KEY: credentials.admin_key }
    return run(`http://127.0.0.1:${(liar.address() as AddressInfo).port}`, env)
  }

  const failed = ({ lines }: Run) =>
    lines.filter((line) => line.startsWith('FAIL')).map((line) => Number(line.slice(6, 8)))

  test('tests 5 and 6 fail when no anomaly was recorded', async () => {
    expect(failed(await ask({ '/api/v1/admin/anomalies': [] }))).toEqual([5, 6])
  })

  test('tests 2 and 5 to 8 fail on a denial of 200, anomalies of another instance, and no action', async () => {
    const other = { instance: { id: 'ins_0', instance_id: 'other' }, resolved_at: null, severity: 'high' }
    const anomalies = [
      { ...other, type: 'tier_mismatch' },
      { ...other, type: 'no_entitlement_premium_usage' },
    ]
    const heartbeat = { status: 'ok', action: 'none', config: { feature_refresh_token: 'a'.repeat(64) } }
    const denial = { status: 'limit_reached', reason: 'instance_limit_reached' }
    const lies = {
      '/api/v1/admin/anomalies': anomalies,
      '/api/v1/instances/heartbeat': heartbeat,
      '/api/v1/licenses/activate': denial,
    }
    expect(failed(await ask(lies))).toEqual([2, 5, 6, 7, 8])
  })

  test('is not shown the keys of this machine’s data folder under another name', async () => {
    const { port } = liar.address() as AddressInfo
    lies = {}
    seen = []
    // A name for this machine that is not the issuer of the file.
    await run(`http://127.0.0.2:${port}`, { LEASEHOLD_DATA_DIR: dataDir })
    expect(seen.filter(Boolean)).toEqual([])
    await run(`http://localhost:${port}`, { LEASEHOLD_DATA_DIR: dataDir })
    expect(new Set(seen.filter(Boolean))).toEqual(new Set([`Bearer ${credentials.admin_key}`]))
  })
})
