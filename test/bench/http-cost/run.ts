// What a request pays before anything is done for it: our server against bare hono and zod, as a ratio of CPU time per
// request. `node test/bench/http-cost/run.ts [rounds] [seconds] [kind]`; needs `wrk`. Ends with 1 when a bound is broken.
// HTTP_COST_PROFILE names a folder for the CPU profiles of both.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KINDS, type Kind } from './requests.ts'

const CONNECTIONS = '64'
/** As node.ts sets it for the server. */
const NODE_FLAGS = ['--max-semi-space-size=16']
const [rounds = 5, seconds = 3] = process.argv.slice(2, 4).map(Number)
const only = process.argv[4]
const WARM_UP_REQUESTS = 30_000
const run = promisify(execFile)

interface Server {
  port: number
  cpuMs(): Promise<number>
  stop(): void
}

interface Figure {
  requests: number
  cpuUs: number
  perSecond: number
}

/** Its log goes where nobody reads it, and is written all the same. */
async function start(which: 'bare' | 'ours', log: number): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'server.ts'), [which], {
    execArgv: NODE_FLAGS,
    stdio: ['ignore', log, 'inherit', 'ipc'],
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    port,
    async cpuMs() {
      child.send('cpu')
      const [{ cpuMs }] = (await once(child, 'message')) as [{ cpuMs: number }]
      return cpuMs
    },
    stop: () => child.disconnect(),
  }
}

async function load(server: Server, kind: Kind, script: string | null, time: number): Promise<Figure> {
  const before = await server.cpuMs()
  const { stdout } = await run('wrk', [
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${time}s`,
    ...(script === null ? [] : ['-s', script]),
    `http://127.0.0.1:${server.port}${kind.path}`,
  ])
  const cpuMs = (await server.cpuMs()) - before
  const [, requests, elapsed] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? []
  if (
    requests === undefined ||
    elapsed === undefined ||
    /Non-2xx|connect [1-9]|read [1-9]|write [1-9]/.test(stdout)
  ) {
    throw new Error(`${kind.name}: not every answer was a good one\n${stdout}`)
  }
  const done = Number(requests)
  return { requests: done, cpuUs: (cpuMs * 1000) / done, perSecond: done / Number(elapsed) }
}

/** What V8 compiles, it compiles in the first ten thousands of requests. */
async function warmUp(server: Server, kind: Kind, script: string | null): Promise<void> {
  for (let done = 0; done < WARM_UP_REQUESTS; ) done += (await load(server, kind, script, 1)).requests
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** The two in turn, so that a slow second of the machine hits both; the ratio is that of each round by itself. */
async function compare(bare: Server, ours: Server, kind: Kind, folder: string): Promise<boolean> {
  const script = kind.script === undefined ? null : join(folder, 'request.lua')
  if (script !== null) await writeFile(script, kind.script ?? '')
  for (const server of [bare, ours]) await warmUp(server, kind, script)
  const pairs: { bare: Figure; ours: Figure }[] = []
  for (let round = 0; round < rounds; round += 1) {
    pairs.push({
      bare: await load(bare, kind, script, seconds),
      ours: await load(ours, kind, script, seconds),
    })
  }
  const ratio = median(pairs.map((pair) => pair.ours.cpuUs / pair.bare.cpuUs))
  const shown = (which: 'bare' | 'ours') =>
    `${median(pairs.map((pair) => pair[which].cpuUs)).toFixed(1)} µs CPU, ` +
    `${Math.round(median(pairs.map((pair) => pair[which].perSecond)))}/s`
  const bound = kind.most === null ? '' : `, at most ${kind.most}`
  process.stdout.write(
    `${kind.name}: bare ${shown('bare')}; ours ${shown('ours')}; ratio ${ratio.toFixed(2)}${bound}\n`,
  )
  return kind.most === null || ratio <= kind.most
}

const folder = await mkdtemp(join(tmpdir(), 'http-cost-'))
const log = await open('/dev/null', 'w')
const bare = await start('bare', log.fd)
const ours = await start('ours', log.fd)
try {
  for (const kind of KINDS) {
    if (only !== undefined && kind.name !== only) continue
    if (!(await compare(bare, ours, kind, folder))) process.exitCode = 1
  }
} finally {
  bare.stop()
  ours.stop()
  await log.close()
  await rm(folder, { recursive: true })
}
