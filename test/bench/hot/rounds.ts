// Rounds over all rows, anchors and server in alternation. A round counts only when the echo, which touches no
// database, was faster than every anchor in it that does more.
import { setTimeout as sleep } from 'node:timers/promises'
import { figure, print, tell } from '../lab/numbers.ts'
import { processorMs } from '../lab/processor-time.ts'
import type { Program } from '../lab/program.ts'
import type { Lab } from './lab.ts'
import { send } from './lonely.ts'
import { type Figures, measure } from './measure.ts'
import type { Round } from './ratios.ts'
import type { Workload } from './workload.ts'

/** Each anchor beside what is held against it. The batches come last: their reports keep the jobs busy for a while. */
const ORDER = [
  ...['echo', 'own-echo', 'answer', 'healthz', 'signing-key', 'jwks'],
  ...['transaction', 'heartbeat', 'cte', 'heartbeat-none', 'heartbeat-token'],
  ...['oidc', 'exchange', 'refresh', 'activate', 'activate-many', 'validate', 'telemetry'],
]
/** Anchors that do more than the echo. */
const SLOWER = ['transaction', 'cte', 'oidc']
const WARM_UP_SECONDS = 1
const EXTRA_ROUNDS = 3

export interface RoundOptions {
  runs: number
  seconds: number
  connections: number
}

export async function runRounds(
  lab: Lab,
  rows: readonly Workload[],
  { runs, seconds, connections }: RoundOptions,
): Promise<Round[]> {
  const ordered = ORDER.flatMap((id) => rows.filter((row) => row.id === id))
  tell('warming up')
  const quick = ordered.filter(({ unitsPerRequest }) => unitsPerRequest === undefined)
  for (const row of quick) await runRow(lab, row, { seconds: WARM_UP_SECONDS, connections })
  const counting: Round[] = []
  for (let tried = 0; counting.length < runs && tried < runs + EXTRA_ROUNDS; tried += 1) {
    if (tried > 0) await calm(lab.programs.own)
    tell(`round ${tried + 1}`)
    const round = new Map<string, Figures>()
    for (const row of ordered) round.set(row.id, await runRow(lab, row, { seconds, connections }))
    const echo = round.get('echo')?.rate ?? Infinity
    const faster = SLOWER.filter((id) => (round.get(id)?.rate ?? 0) >= echo)
    if (faster.length === 0) counting.push(round)
    else print(`A round does not count: the echo was slower than ${faster.join(', ')}.`)
  }
  return counting
}

/** One run of one row. */
export async function runRow(
  lab: Lab,
  row: Workload,
  { seconds, connections, programs }: { seconds: number; connections: number; programs?: readonly Program[] },
): Promise<Figures> {
  const asked = programs ?? [lab.programs[row.target]]
  const list = await row.list(Math.ceil(row.most * seconds))
  const figures = await measure({
    database: lab.database,
    counted: lab.databaseOf(row.target),
    programs: asked,
    others: Object.values(lab.programs).filter((program) => !asked.includes(program)),
    load: { connections, seconds, list, folder: lab.database.folder },
  })
  if (!list.repeats && figures.answers >= list.requests.length) tell(`${row.title}: the list was too short`)
  const rate = figures.rate * (row.unitsPerRequest ?? 1)
  tell(`${row.title}: ${figure(rate)} a second, p99 ${figure(figures.p99Ms)} ms, ${figures.failed} failed`)
  return { ...figures, rate }
}

/** Sends one request of each row. @throws Error when the answer is not the one that the row is about. */
export async function checkAnswers(lab: Lab, rows: readonly Workload[]): Promise<void> {
  for (const row of rows) {
    const target = lab.programs[row.target]
    target.resume()
    const [request] = (await row.list(1)).requests
    if (!request) throw new Error(`${row.id} has no request`)
    const { status, text } = await send(undefined, target, request)
    if (status >= 400 || !text.includes(row.expects)) {
      throw new Error(`${row.id}: ${status} ${text}\nto ${request.path} ${request.body ?? ''}`)
    }
  }
}

const CALM_SHARE = 0.1
const CALM_CHECK_MS = 500
const LONGEST_CALM_MS = 90_000
/** Jobs come due each minute: calm counts only when it has lasted longer than the pause before they look. */
const CALM_CHECKS = 12

/** Waits until the server has worked off what its jobs still have to do. */
async function calm(server: Program): Promise<void> {
  tell('waiting for the jobs')
  server.resume()
  let before = processorMs(server.pid)
  let quiet = 0
  for (const end = Date.now() + LONGEST_CALM_MS; quiet < CALM_CHECKS && Date.now() < end; ) {
    await sleep(CALM_CHECK_MS)
    const now = processorMs(server.pid)
    quiet = now - before < CALM_SHARE * CALM_CHECK_MS ? quiet + 1 : 0
    before = now
  }
}
