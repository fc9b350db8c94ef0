import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, caller } from '../support/app.ts'
import { type LeaseholdProcess, until } from '../support/leasehold-process.ts'
import { query } from '../support/query.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'

const INSTANCES = 8
const KILLS = 3
const ACKNOWLEDGED_BETWEEN_KILLS = 40
/** Of so many answered reports one is sent again, as if its answer had been lost on the way. */
const ANSWER_LOST_EVERY = 7
const RETRY_MS = 50
const CLIENT_TIMEOUT_MS = 5_000

interface Report {
  seq: number
  queries_total: number
}

/** A client that numbers its reports, and sends each until it is answered, and only then the next. */
function reporter(name: number) {
  const boot_id = randomUUID()
  const acknowledged: Report[] = []
  const tally = { retries: 0, answers: [] as number[] }

  const send = async (url: string, { seq, queries_total }: Report): Promise<Answer | null> => {
    const answer = caller(url)('POST', '/api/v1/instances/heartbeat', {
      body: {
        instance_id: `killed-${name}`,
        product: 'keldris',
        reported_tier: 'free',
        has_valid_entitlement: false,
        metrics: { queries_total, agent_count: 1 },
        boot_id,
        seq,
      },
    })
    const late = sleep(CLIENT_TIMEOUT_MS, null, { ref: false })
    return Promise.race([answer, late]).catch(() => null)
  }
  const sendUntilAnswered = async (url: string, report: Report) => {
    for (;;) {
      const answer = await send(url, report)
      if (answer) tally.answers.push(answer.status)
      if (answer?.status === 200) return
      tally.retries += 1
      await sleep(RETRY_MS)
    }
  }
  return {
    boot_id,
    acknowledged,
    tally,
    async run(url: string, isOver: () => boolean): Promise<void> {
      let queries_total = 0
      for (let seq = 0; !isOver(); seq += 1) {
        queries_total += (seq % 5) + 1
        const report = { seq, queries_total }
        await sendUntilAnswered(url, report)
        acknowledged.push(report)
        if (seq % ANSWER_LOST_EVERY === 0) await sendUntilAnswered(url, report)
      }
    },
  }
}

describe('a server process that is killed in the middle of heartbeats', () => {
  let cluster: SeveralServers
  let server: LeaseholdProcess
  beforeAll(async () => {
    cluster = await startServers(1)
    server = cluster.servers[0] as LeaseholdProcess
  })
  afterAll(() => cluster?.stop())

  test(`${KILLS} times loses no acknowledged report and counts none twice`, async () => {
    let over = false
    const clients = Array.from({ length: INSTANCES }, (_, i) => reporter(i))
    const stream = Promise.all(clients.map((client) => client.run(server.url, () => over)))
    const count = () => clients.reduce((sum, client) => sum + client.acknowledged.length, 0)
    const more = async () => {
      const before = count()
      await until(() => count() >= before + ACKNOWLEDGED_BETWEEN_KILLS, 20_000)
    }
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await more()
        expect(await server.stop('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' })
        server = await cluster.add(server.port)
      }
      await more()
    } finally {
      over = true
    }
    await stream

    for (const { boot_id, acknowledged } of clients) {
      const rows = await query(
        cluster.databaseUrl,
        `select seq::int, (metrics->>'queries_total')::int as queries_total,
           coalesce(increases->>'queries_total', '0')::int as grown
         from reports where boot_id = '${boot_id}' order by seq, received_at`,
      )
      expect(rows.map(({ seq, queries_total }) => ({ seq, queries_total }))).toEqual(acknowledged)
      const grown = rows.reduce((sum, row) => sum + Number(row.grown), 0)
      expect(grown).toBe(acknowledged.at(-1)?.queries_total)
    }
    // Every client was under way at each kill; what it met meanwhile was silence or a server that stops.
    const tallies = clients.map((client) => client.tally)
    expect(tallies.filter(({ retries }) => retries > 0)).toHaveLength(INSTANCES)
    const statuses = new Set(tallies.flatMap(({ answers }) => answers))
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([])
  }, 60_000)
})
