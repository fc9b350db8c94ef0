// A client that numbers its reports and sends each until it is answered; and what the database must hold of it then.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Answer, caller } from './app.ts'
import { query } from './query.ts'

/** Of so many answered reports one is sent again, as if its answer had been lost on the way. */
const ANSWER_LOST_EVERY = 7
const RETRY_MS = 50
const CLIENT_TIMEOUT_MS = 5_000

export interface Report {
  seq: number
  queries_total: number
}

export type Reporter = ReturnType<typeof reporter>

/** Sends a report until it is answered, and only then the next. */
export function reporter(name: number) {
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

/** Every acknowledged report is there, once, and none that was not. */
export async function expectAllOnce(
  databaseUrl: string,
  { boot_id, acknowledged }: Pick<Reporter, 'boot_id' | 'acknowledged'>,
): Promise<void> {
  const rows = await query(
    databaseUrl,
    `select seq::int, (metrics->>'queries_total')::int as queries_total,
       coalesce(increases->>'queries_total', '0')::int as grown
     from reports where boot_id = '${boot_id}' order by seq, received_at`,
  )
  expect(rows.map(({ seq, queries_total }) => ({ seq, queries_total }))).toEqual(acknowledged)
  const grown = rows.reduce((sum, row) => sum + Number(row.grown), 0)
  expect(grown).toBe(acknowledged.at(-1)?.queries_total)
}
