// Faults between vendor and site, with real processes in real time: what instances keep, and that no report is lost.
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { caller } from '../support/app.ts'
import type { Fault } from '../support/fault-proxy.ts'
import { type FaultSite, FRESH, pause, startFaultSite, TOKEN_LIFE_SECONDS } from '../support/fault-site.ts'
import { type FaultResult, faultTable, keptWords } from '../support/fault-table.ts'
import type { Held } from '../support/fleet.ts'
import { until } from '../support/leasehold-process.ts'
import { type Lie, startLiar } from '../support/liar.ts'
import { movedClock } from '../support/moved-clock.ts'
import { PRO_FEATURES } from '../support/world.ts'

const KILLS = 50
/** Milliseconds. The issue says 4 s, which the table shows; a crowded machine is not held to it. */
const BACK_WITHIN = 10_000
const DAY_MS = 86_400_000

/** Milliseconds that each lasts. */
const WAYS: readonly [string, Fault, number][] = [
  ['connections reset', { kind: 'reset' }, 800],
  ['connections half-open', { kind: 'silent' }, 2500],
  ['answers of one byte each 20 ms', { kind: 'drip', ms: 20 }, 1500],
  ['garbage for answers', { kind: 'garbage' }, 1000],
  ['every third chunk cuts its connection', { kind: 'loss', share: 0.33 }, 1500],
  ['300 ms of delay', { kind: 'delay', ms: 300 }, 1500],
]

let site: FaultSite
const results = new Map<string, FaultResult>()

beforeAll(async () => {
  site = await startFaultSite()
}, 90_000)

afterAll(async () => {
  process.stdout.write(`\n${faultTable([...results.values()])}\n\n`)
  await site?.stop()
})

interface FaultOptions {
  /** States that every instance passes through. */
  states?: string[]
  /** Why this machine cannot make the fault; null where it can. */
  cannot?: () => string | null
}

/** `run` makes the fault and ends it; resolves with the moment (of `performance.now()`) of the upstream's return. */
function fault(name: string, run: () => Promise<number>, more: FaultOptions = {}): void {
  test(name, async ({ skip }) => {
    const cannot = more.cannot?.() ?? null
    if (cannot !== null)
      results.set(name, { fault: name, kept: `not run: ${cannot}`, audit: null, back: null })
    skip(cannot !== null, cannot ?? '')
    // What an attempt before this one left behind is no part of it.
    await site.whole()
    await site.fleet.mark()
    const back = await site.back(await run().finally(() => site.proxy.set({ kind: 'none' })))
    const held = await site.fleet.held()
    const audit = await site.audit()
    results.set(name, { fault: name, kept: keptWords(held), audit, back })
    expectKept(held)
    expect(audit).toMatchObject({ lost: 0, doubled: 0, misdated: 0 })
    expect(audit.acknowledged).toBeGreaterThan(0)
    expect(back).toBeLessThan(BACK_WITHIN)
    for (const state of more.states ?? []) {
      expect(held.filter(({ states }) => states.includes(state)).length, state).toBe(held.length)
    }
  }, 120_000)
}

function expectKept(held: readonly Held[]): void {
  for (const { instanceId, features, lost, killed } of held) {
    expect({ instanceId, features, lost, killed }).toEqual({
      instanceId,
      features: PRO_FEATURES,
      lost: [],
      killed: false,
    })
  }
}

async function end(): Promise<number> {
  await site.proxy.set({ kind: 'none' })
  return performance.now()
}

const exchange = (instance_id: string, bearer: string) =>
  caller(site.relay.url, { documented: false })('POST', '/api/v1/licenses/token', {
    bearer,
    body: { instance_id, version: '1' },
  })

describe('the vendor', () => {
  fault(
    'vendor away, through stale and grace',
    async () => {
      await site.proxy.set({ kind: 'refused' })
      const seen = new Set<string>()
      const over = performance.now() + TOKEN_LIFE_SECONDS * 1000 + 1500
      while (performance.now() < over) {
        for (const { state } of (await site.relay.status())?.licenses ?? []) seen.add(state)
        await pause(50)
      }
      expect([...seen]).toEqual(['synced', 'stale', 'failed'])
      expect(FRESH.cacheTtl + FRESH.staleGrace).toBeLessThan(TOKEN_LIFE_SECONDS * 1000)
      return end()
    },
    { states: ['GRACE'] },
  )

  fault("vendor's Postgres restarted", async () => {
    await site.database.stop()
    await until(async () => (await site.relay.status())?.upstream === 'away', 10_000)
    await site.database.start()
    return performance.now()
  })
})

describe('the way to the vendor', () => {
  for (const [name, how, ms] of WAYS) {
    fault(name, async () => {
      await site.proxy.set(how)
      await pause(ms)
      return end()
    })
  }

  fault('network flapping each second', async () => {
    for (let i = 0; i < 3; i++) {
      await site.proxy.set({ kind: i % 2 === 0 ? 'refused' : 'reset' })
      await pause(1000)
      await site.proxy.set({ kind: 'none' })
      await pause(i < 2 ? 1000 : 0)
    }
    return performance.now()
  })
})

describe('the relay', () => {
  fault(`relay killed ${KILLS} times, the vendor away every other time`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      await site.proxy.set({ kind: kill % 2 === 0 ? 'none' : 'refused' })
      await pause(50 + Math.random() * 450)
      await site.relay.stop('SIGKILL')
      site.relay.launch()
    }
    await site.relay.ready()
    return end()
  })

  fault('clock of the relay 40 days ahead, 2 days behind, and right again', async () => {
    await site.relay.stop()
    site.relay.launch({ NODE_OPTIONS: movedClock([40 * DAY_MS, -2 * DAY_MS, 0]) })
    await site.relay.ready()
    await until(async () => (await exchange('p0-0', site.world.apiKey)).status === 200)
    await site.proxy.set({ kind: 'refused' })
    await pause(500)
    site.relay.signal('SIGUSR2')
    await pause(1000)
    site.relay.signal('SIGUSR2')
    await pause(1000)
    site.relay.signal('SIGUSR2')
    return end()
  })

  fault(
    'disk of the relay full, and a restart on it',
    async (): Promise<number> => {
      const { smallDisk, proxy, relay } = site
      await proxy.set({ kind: 'refused' })
      await pause(1000)
      const filler = join(smallDisk ?? '', 'filler')
      await writeFile(filler, Buffer.alloc(32 * 1024 * 1024)).catch(() => {})
      await pause(1000)
      await relay.stop('SIGKILL')
      relay.launch()
      await pause(1000)
      await relay.stop('SIGKILL')
      await rm(filler)
      relay.launch()
      await relay.ready()
      expect(existsSync(join(smallDisk ?? '', 'relay/relay.sqlite'))).toBe(true)
      return end()
    },
    { cannot: () => (site.smallDisk === null ? 'this machine mounts no disk for tests' : null) },
  )
})

describe('a malicious upstream', () => {
  test('takes nothing, gives nothing, and costs a bounded number of requests', async () => {
    const { proxy, fleet, world, other } = site
    const ofOther = async () => (await fleet.held()).filter(({ instanceId }) => instanceId.startsWith('p4-'))
    const liar = await startLiar(site.server.url)
    try {
      await fleet.mark()
      proxy.lead(liar.port)
      await pause(2000)
      expect((await site.admin('POST', `/licenses/${other.licenseId}/revoke`, {})).status).toBe(200)
      await until(async () => (await ofOther()).every(({ features }) => features.length === 0), 10_000)
      const lie = async (how: Lie, check: () => Promise<void>) => {
        liar.lie(how)
        await pause(1400)
        // What the relay has come to believe of it shows while nobody can be asked.
        await proxy.set({ kind: 'refused' })
        await check()
        await proxy.set({ kind: 'none' })
      }
      await lie('unsigned', async () => {
        // Where the last signed grant has ended by now there is none to give, and no kill either.
        const { status, body } = await exchange('p0-0', world.apiKey)
        expect(status === 200 ? body.action : body.error).toMatch(/^(none|vendor_unreachable)$/)
      })
      await lie('foreign', async () => {})
      await lie('replay', async () => {
        expect((await exchange('p4-0', other.apiKey)).status).toBe(503)
      })
      liar.lie(null)
      const before = liar.lists()
      liar.flood(1000)
      await pause(1500)
      expect(liar.lists() - before).toBeLessThan(20)
      proxy.lead(site.server.port)
      const back = await site.back(performance.now())
      const held = await fleet.held()
      const audit = await site.audit()
      const name = 'upstream that lies: unsigned, foreign, replayed after a revoke, flooding'
      results.set(name, { fault: name, kept: keptWords(held), audit, back })
      const [revoked, others] = [
        held.filter(({ instanceId }) => instanceId.startsWith('p4-')),
        held.filter(({ instanceId }) => !instanceId.startsWith('p4-')),
      ]
      expectKept(others)
      for (const { features, gained, killed } of revoked) {
        expect({ features, gained, killed }).toEqual({ features: [], gained: [], killed: false })
      }
      expect(audit).toMatchObject({ lost: 0, doubled: 0 })
      expect(back).toBeLessThan(BACK_WITHIN)
    } finally {
      await liar.stop()
    }
  }, 120_000)
})
