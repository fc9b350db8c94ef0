// Load from wrk: each of its threads reads its own file of requests.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { LoadOptions, LoadResult } from './load.ts'
import { writeRequests } from './request.ts'

const SCRIPT = join(import.meta.dirname, 'wrk.lua')
const THREADS = 2

/** What wrk.lua prints when it is through. */
interface Summary {
  requests: number
  duration_us: number
  status: number
  socket: number
  p50_us: number
  p99_us: number
}

export async function wrkLoad(options: LoadOptions): Promise<LoadResult> {
  const { targets, connections, seconds, list, folder } = options
  const threads = Array.from({ length: THREADS }, (_, first) => first)
  await Promise.all(
    threads.map((first) =>
      writeRequests(join(folder, `requests-${first}`), list.requests, { first, of: THREADS }),
    ),
  )
  const [target] = targets
  const child = spawn(
    'wrk',
    [
      ...['-t', String(THREADS), '-c', String(connections), '-d', `${seconds}s`, '--timeout', '30s'],
      ...['-s', SCRIPT, `http://${target?.host}:${target?.port}/`],
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        BENCH_FOLDER: folder,
        BENCH_ORDER: list.repeats ? 'repeat' : 'once',
        BENCH_SERVERS: targets.map(({ host, port }) => `${host}:${port}`).join(','),
      },
    },
  )
  const code = new Promise<number | null>((done) => child.on('close', done))
  const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr)])
  const line = said.split('\n').find((candidate) => candidate.startsWith('{'))
  if ((await code) !== 0 || line === undefined) throw new Error(`wrk failed:\n${said}\n${complained}`)
  const summary = JSON.parse(line) as Summary
  return {
    answers: summary.requests,
    seconds: summary.duration_us / 1e6,
    failed: summary.status + summary.socket,
    p50Ms: summary.p50_us / 1000,
    p99Ms: summary.p99_us / 1000,
  }
}
