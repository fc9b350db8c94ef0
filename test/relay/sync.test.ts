import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type DeliverContext, deliver } from '../../src/relay/sync/deliver.ts'
import { type SyncEngine, startSync } from '../../src/relay/sync/engine.ts'
import { askWhenStale, licenseSyncedAt } from '../../src/relay/sync/freshness.ts'
import type { KnownLicenses, SyncOutcome } from '../../src/relay/sync/licenses.ts'
import { upstreamClient } from '../../src/relay/upstream/client.ts'
import { nodeHost } from '../../src/sdk/host/node.ts'
import { silentLog } from '../support/silent-log.ts'

const DONE: SyncOutcome = { kind: 'done' }
const away = (status?: number, ms = 0): SyncOutcome => ({
  kind: 'away',
  why: 'a test',
  retryAfter: status === undefined ? null : { status, ms },
})
const HOUR = 3_600_000

let engine: SyncEngine | undefined

afterEach(async () => {
  await engine?.stop()
  engine = undefined
  vi.useRealTimers()
})

/** An engine on a clock that is moved; `outcomes` come one by one, the last for ever. Its passes, at their times. */
function started(...outcomes: [SyncOutcome, ...SyncOutcome[]]): { sync: SyncEngine; passes: number[] } {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const began = performance.now()
  const passes: number[] = []
  const sync = startSync({
    times: { syncInterval: HOUR, retryDelay: 5000, syncRetries: 3 },
    background: true,
    async pass() {
      passes.push(performance.now() - began)
      return outcomes[Math.min(passes.length, outcomes.length) - 1] ?? DONE
    },
    log: silentLog,
    chance: () => 1,
    now: () => Date.now(),
  })
  engine = sync
  return { sync, passes }
}

const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('a license that is not fresh', () => {
  test('asks for a sync at once, and however many meet it, for one', async () => {
    const { sync, passes } = started(DONE)
    for (let i = 0; i < 100; i++) sync.ask()
    await advance(0)
    for (let i = 0; i < 100; i++) sync.ask()
    expect(passes).toEqual([0])
    await advance(5000)
    for (let i = 0; i < 100; i++) sync.ask()
    expect(passes).toEqual([0, 5000])
  })

  test('asks with pauses that go on doubling while the vendor is away', async () => {
    const { sync, passes } = started(away())
    for (let second = 0; second < 600; second++) {
      sync.ask()
      await advance(1000)
    }
    // A pass and its three retries after 5, 10 and 20 s; then 80 s of pause, then 160 s.
    const firsts = passes.filter((_, i) => i % 4 === 0).map((at) => Math.round(at / 1000))
    expect(firsts).toEqual([0, 115, 310])
  })

  test.each([401, 403])('asks for nothing beyond the regular schedule after a %i', async (status) => {
    const { sync, passes } = started({ kind: 'refused', status })
    for (let minute = 0; minute < 119; minute++) {
      sync.ask()
      await advance(60_000)
    }
    expect(passes.map((at) => Math.round(at / 60_000))).toEqual([0, 54, 108])
  })

  test('is stale by its age, or has ended since the vendor told of it', () => {
    const now = Date.parse('2026-03-01T12:00:00Z')
    const asks = (known: { syncedAt: number; expires_at: string | null }): boolean => {
      let asked = false
      const licenses = [{ expires_at: known.expires_at }] as KnownLicenses['licenses']
      askWhenStale({
        known: () => ({ licenses, syncedAt: known.syncedAt }),
        times: { cacheTtl: 1000, staleGrace: 1000 },
        now: () => now,
        ask: () => {
          asked = true
        },
      })()
      return asked
    }
    expect(asks({ syncedAt: now - 999, expires_at: null })).toBe(false)
    expect(asks({ syncedAt: now - 1000, expires_at: null })).toBe(true)
    expect(asks({ syncedAt: now - 500, expires_at: new Date(now - 100).toISOString() })).toBe(true)
    // The vendor has told of it as one that is over: nothing new is to be heard.
    expect(asks({ syncedAt: now - 500, expires_at: new Date(now - 600).toISOString() })).toBe(false)
    expect(asks({ syncedAt: now - 500, expires_at: new Date(now + 100).toISOString() })).toBe(false)
  })
})

describe('a report that spoils its batch', () => {
  test('is found by halves, and takes none of its neighbours along', async () => {
    let waiting = Array.from({ length: 1200 }, (_, id) => ({ id, body: '{}', observedAt: 0, seq: id }))
    const delivered: number[] = []
    let requests = 0
    const context = {
      queue: {
        next: (most: number) => waiting.slice(0, most),
        remove: (ids: number[]) => {
          waiting = waiting.filter(({ id }) => !ids.includes(id))
        },
      },
      upstream: {
        send: async ({ body }: { body: string }) => {
          requests += 1
          const { reports } = JSON.parse(body) as { reports: { seq: number }[] }
          const status = reports.some(({ seq }) => seq === 333) ? 422 : 200
          if (status === 200) delivered.push(...reports.map(({ seq }) => seq))
          const answer = { accepted: reports.length, duplicates: 0, rejected: [] }
          return { kind: 'answer', status, body: status === 200 ? answer : {} }
        },
      },
      relayKey: 'lrk_x',
      log: silentLog,
      isStopping: () => false,
    } as unknown as DeliverContext
    expect(await deliver(context)).toEqual(DONE)
    expect(delivered).toEqual(Array.from({ length: 1200 }, (_, seq) => seq).filter((seq) => seq !== 333))
    expect(requests).toBeLessThan(50)
  })
})

test('a license is as old as the list that names it, or as a later grant of it', () => {
  const named = { licenses: [{ license_id: 'lic_1' }], syncedAt: 5000 } as KnownLicenses
  const at = (licenseId: string, granted: number) =>
    licenseSyncedAt(() => named, { answeredAt: () => granted })(licenseId)
  expect([at('lic_1', 4000), at('lic_1', 6000), at('lic_2', 4000), at('lic_2', 0)]).toEqual([
    5000, 6000, 4000, 0,
  ])
})

describe('a vendor that asks for patience', () => {
  test('gets it from retries, from the schedule, and from whoever meets a stale license', async () => {
    const { sync, passes } = started(away(503, 60_000), DONE)
    void sync.now()
    await advance(59_999)
    sync.ask()
    expect(passes).toEqual([0])
    await advance(1)
    expect(passes).toEqual([0, 60_000])
  })

  test('gets it for an hour at most', async () => {
    const { sync, passes } = started(away(503, 48 * HOUR), DONE)
    void sync.now()
    await advance(HOUR)
    expect(passes).toEqual([0, HOUR])
  })

  test('and is back before it said so is asked at once; not where it demanded it (429)', async () => {
    const back = started(away(503, 60_000), DONE)
    void back.sync.now()
    await advance(1000)
    back.sync.soon()
    await advance(0)
    expect(back.passes.slice(0, 2)).toEqual([0, 1000])
    await back.sync.stop()

    const demanded = started(away(429, 60_000), DONE)
    void demanded.sync.now()
    await advance(1000)
    for (let i = 0; i < 10; i++) demanded.sync.soon()
    await advance(58_000)
    expect(demanded.passes).toEqual([0])
    await advance(1000)
    expect(demanded.passes[1]).toBe(60_000)
    // Whoever stands before it may ask all the same.
    void demanded.sync.now()
    await advance(0)
    expect(demanded.passes.length).toBeGreaterThan(2)
  })

  test('says so in the header of a 429 or a 5xx, also of a list', async () => {
    const server: Server = createServer((_request, response) => {
      response.writeHead(429, { 'Retry-After': '7', 'Content-Type': 'application/json' }).end('{}')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const upstream = upstreamClient({
      host: nodeHost(),
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timeout: 2000,
      now: () => Date.now(),
      onChange: () => {},
    })
    const request = { method: 'GET', path: '/', bearer: null, body: null } as const
    const asked = { kind: 'away', retryAfter: { ms: 7000, status: 429 } }
    expect(await upstream.send(request)).toMatchObject(asked)
    expect(await upstream.list(request)).toMatchObject(asked)
    server.close()
  })
})
