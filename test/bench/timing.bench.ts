// Whether the time of a refusal tells what is stored. Each pair is what somebody without a secret can compare: a
// well-formed credential that nobody has against one that exists, or existed, with another ending. Credentials are
// looked up by their HMAC, so that no comparison of secrets can be timed; this measures that nothing else tells.
// License keys are not among them: without the vendor's signature none reaches a look-up.
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CREDENTIAL_PREFIXES, type CredentialKind, mintCredential } from '../../src/platform/credentials.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createWorld, type World } from '../support/world.ts'

const TRIES = 10_000
const WARM_UP = 500
const LARGEST_T = 4.5

let app: TestApp
let world: World
beforeAll(async () => {
  app = await startTestApp()
  world = await createWorld(app, { instanceAuth: 'token', license: { seat_limit: null } })
})
afterAll(() => app.stop())

const fresh = (kind: CredentialKind): string => mintCredential(kind).secret
/** A well-formed credential that begins like `known`: the first characters are shown in lists and logs. */
function withPrefixOf(kind: CredentialKind, known: string): string {
  const start = CREDENTIAL_PREFIXES[kind]
  const shown = known.slice(start.length, start.length + 8)
  return rechecked(start, shown + fresh(kind).slice(start.length + 8, start.length + 43))
}

/** The credential with the checksum that its body needs, found as the server computes it. */
function rechecked(start: string, body: string): string {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let number = BigInt(`0x${createHash('sha256').update(`${start}${body}`).digest('hex')}`)
  let checksum = ''
  for (let i = 0; i < 6; i += 1) {
    checksum = alphabet.charAt(Number(number % 62n)) + checksum
    number /= 62n
  }
  return `${start}${body}${checksum}`
}

async function timed(call: () => Promise<{ status: number }>, expected: number): Promise<number> {
  const start = process.hrtime.bigint()
  const { status } = await call()
  const ns = Number(process.hrtime.bigint() - start)
  if (status !== expected) throw new Error(`expected ${expected}, got ${status}`)
  return ns
}

interface Sample {
  mean: number
  variance: number
  count: number
}

/** Without the slowest twentieth of both together: what the machine did meanwhile says nothing of the server. */
function describeBoth(a: number[], b: number[]): [Sample, Sample] {
  const bound = [...a, ...b].sort((x, y) => x - y)[Math.floor((a.length + b.length) * 0.95)] ?? Infinity
  const of = (all: number[]): Sample => {
    const kept = all.filter((ns) => ns <= bound)
    const mean = kept.reduce((sum, ns) => sum + ns, 0) / kept.length
    const variance = kept.reduce((sum, ns) => sum + (ns - mean) ** 2, 0) / (kept.length - 1)
    return { mean, variance, count: kept.length }
  }
  return [of(a), of(b)]
}

const welch = (a: Sample, b: Sample): number =>
  (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count)

type Request = () => Promise<{ status: number }>
const exchange = (key: string) => () =>
  app.call('POST', '/api/v1/licenses/token', { bearer: key, body: { instance_id: 'i', version: '1' } })
const admin = (key: string) => () => app.call('GET', '/api/v1/admin/products', { bearer: key })
const beat = (token: string, instance_id: string) => () =>
  app.call('POST', '/api/v1/instances/heartbeat', {
    bearer: token,
    body: {
      instance_id,
      product: 'keldris',
      reported_tier: 'free',
      has_valid_entitlement: false,
      metrics: {},
    },
  })

const pairs: Record<string, () => Promise<[Request, Request]>> = {
  'API key: unknown against one that begins like a real one': async () => [
    () => exchange(fresh('api_key'))(),
    () => exchange(withPrefixOf('api_key', world.apiKey))(),
  ],
  'admin key: unknown against one that begins like a real one': async () => [
    () => admin(fresh('admin_key'))(),
    () => admin(withPrefixOf('admin_key', app.adminKey))(),
  ],
  'instance token: wrong secret of a known instance against one that is not there': async () => {
    await exchange(world.apiKey)()
    return [() => beat(fresh('instance_token'), 'i')(), () => beat(fresh('instance_token'), 'n')()]
  },
}

test.each(Object.entries(pairs))('%s', async (name, make) => {
  const [one, other] = await make()
  for (let i = 0; i < WARM_UP; i += 1) await Promise.all([one(), other()])
  const times: [number[], number[]] = [[], []]
  for (let i = 0; i < TRIES; i += 1) {
    // Interleaved, in an order that chance decides: a slow second hits both alike.
    const first = (randomBytes(1)[0] ?? 0) & 1
    for (const which of [first, 1 - first] as (0 | 1)[]) {
      times[which].push(await timed(which === 0 ? one : other, 401))
    }
  }
  const [a, b] = describeBoth(...times)
  const t = welch(a, b)
  const us = (ns: number) => (ns / 1000).toFixed(1)
  process.stdout.write(
    `${name}: ${us(a.mean)} µs, ${us(b.mean)} µs, Welch t = ${t.toFixed(2)} (${a.count} and ${b.count} tries)\n`,
  )
  expect(Math.abs(t)).toBeLessThan(LARGEST_T)
})
