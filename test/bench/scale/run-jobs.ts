// Each background job, run by itself in this process while the server is frozen: how long it takes and what it says.

import { freezeIdle } from '../lab/freeze.ts'
import { openInside } from '../lab/inside.ts'
import { columns, figure, tell } from '../lab/numbers.ts'
import { serverEnvironment } from '../lab/server.ts'
import type { ScaleFleet } from './fleet.ts'

/** A job that works in pieces is run again until it has nothing left, at most so often. */
const MOST_RUNS = 50

export async function measureJobs({ url, folder, server, sql }: ScaleFleet): Promise<string> {
  await freezeIdle(server, sql)
  const inside = await openInside(serverEnvironment({ databaseUrl: url, folder: `${folder}/server` }))
  try {
    const lines: string[][] = [['job', 'runs', 'longest ms', 'in all ms', 'did, at first']]
    for (const job of inside.jobs) {
      const times: number[] = []
      let first = ''
      for (let left = true; left && times.length < MOST_RUNS; ) {
        const start = performance.now()
        const done = await job.run(inside.ctx, new AbortController().signal).catch((error: unknown) => {
          tell(`${job.name} failed: ${error}`)
          return { failed: 1 }
        })
        times.push(performance.now() - start)
        if (times.length === 1) first = done === null ? 'nothing' : JSON.stringify(done)
        left = done !== null && !('failed' in done) && didSomething(done)
      }
      tell(`${job.name}: ${times.length} runs, the longest ${figure(Math.max(...times))} ms`)
      lines.push([
        job.name,
        String(times.length),
        figure(Math.max(...times)),
        figure(times.reduce((sum, ms) => sum + ms, 0)),
        first,
      ])
    }
    await sql`analyze`
    return columns(lines)
  } finally {
    await inside.close()
    server.resume()
  }
}

/** A job that only looked has come to its end. */
const didSomething = (done: Record<string, number>): boolean =>
  Object.entries(done).some(([what, number]) => what !== 'looked' && number > 0)
