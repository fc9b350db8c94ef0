import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LeaseholdProcess, until } from '../support/leasehold-process.ts'
import { expectAllOnce, reporter } from '../support/reporter.ts'
import { type SeveralServers, startServers } from '../support/several-servers.ts'

const INSTANCES = 8
const KILLS = 3
const ACKNOWLEDGED_BETWEEN_KILLS = 40

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

    for (const client of clients) await expectAllOnce(cluster.databaseUrl, client)
    // Every client was under way at each kill; what it met meanwhile was silence or a server that stops.
    const tallies = clients.map((client) => client.tally)
    expect(tallies.filter(({ retries }) => retries > 0)).toHaveLength(INSTANCES)
    const statuses = new Set(tallies.flatMap(({ answers }) => answers))
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([])
  }, 60_000)
})
