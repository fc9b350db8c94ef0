// How long `npm start` takes until it is ready, beside the server from its sources, over one data folder each. Both in
// turn, so that whatever else the machine does slows both.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { workplace } from '../support/leasehold-process.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const RUNS = 9
const MOST_MS = 1_000
/** `/proc/<pid>/stat` counts processor time in these. */
const TICK_MS = 10

const place = workplace()
afterAll(() => place.clear())

const WAYS = {
  sources: join(ROOT, 'src/node.ts'),
  'npm start': join(ROOT, 'scripts/start.mjs'),
}

interface Start {
  ready: number
  cpu: number
}

async function start(program: string, dataDir: string): Promise<Start> {
  const began = performance.now()
  const server = await place.start({ dataDir, command: [process.execPath, program] })
  const ready = performance.now() - began
  const cpu = processorTime(server.pid)
  await server.stop()
  return { ready, cpu }
}

/** Milliseconds of the process itself; without PostgreSQL. */
function processorTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

test(`ready after ${MOST_MS} ms on a second start`, async () => {
  const found = Object.entries(WAYS).map(([name, program]) => ({ name, program, starts: [] as Start[] }))
  const folders = await Promise.all(found.map(() => place.dataDir()))
  for (let run = -1; run < RUNS; run += 1) {
    for (const [index, { program, starts }] of found.entries()) {
      const one = await start(program, folders[index] ?? '')
      // The first makes the database, and the bundle.
      if (run >= 0) starts.push(one)
    }
  }
  for (const { name, starts } of found) {
    const ready = starts.map((one) => one.ready)
    const cpu = median(starts.map((one) => one.cpu))
    process.stdout.write(
      `${name.padEnd(10)} ready after ${Math.round(median(ready))} ms (${Math.round(Math.min(...ready))} to ` +
        `${Math.round(Math.max(...ready))}), ${cpu} ms of processor time; median of ${RUNS} second starts\n`,
    )
  }
  const fastest = Math.min(...(found.at(-1)?.starts ?? []).map(({ ready }) => ready))
  expect(fastest).toBeLessThanOrEqual(MOST_MS)
})
