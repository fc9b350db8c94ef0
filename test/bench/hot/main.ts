// `npm run bench -- hot`: prints one table of anchors and of the server, measured in alternation in one run, and the
// ratios that the server must reach.
import { cpus } from 'node:os'
import { print } from '../lab/numbers.ts'
import { readOptions } from '../lab/options.ts'
import { generator } from '../load/load.ts'
import { anchorRows } from './anchor-rows.ts'
import { measureHotShares } from './hot-share.ts'
import { type Lab, openLab } from './lab.ts'
import { measureLonely } from './lonely-rows.ts'
import { ownRows } from './own-rows.ts'
import { verdicts } from './ratios.ts'
import { checkAnswers, runRounds } from './rounds.ts'
import { measureSpecial } from './special-rows.ts'
import { table } from './table.ts'

const DEFAULTS = {
  runs: 5,
  seconds: 4,
  connections: 64,
  instances: 10_000,
  licenses: 1_000,
  /** Ids of rows, separated by commas; all where it is empty. */
  only: '',
  /** `rounds`: the table; `lonely`: single requests; `special`: 512 connections, two processes; `hot`: HOT updates. */
  parts: 'lonely,rounds,special,hot',
}

const options = readOptions(process.argv.slice(2), DEFAULTS)
const parts = options.parts.split(',')
const wanted = options.only === '' ? null : options.only.split(',')

const lab = await openLab(options)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void lab.stop().finally(() => process.exit(1)))
}
try {
  await run(lab)
} finally {
  await lab.stop()
}

async function run(lab: Lab): Promise<void> {
  const all = [...anchorRows(options.instances), ...ownRows(lab.fleet)]
  const rows = all.filter(({ id }) => wanted?.includes(id) ?? true)
  await checkAnswers(lab, rows)
  const [version] = await lab.database.control`select current_setting('server_version') as version`
  print(
    [
      `Node ${process.versions.node}, PostgreSQL ${version?.version} (fsync and synchronous commit on),`,
      `${cpus().length} × ${cpus()[0]?.model.trim()}, load from ${generator} on the same machine.`,
    ].join(' '),
  )
  print(
    `${options.instances} instances of each kind, ${options.licenses} licenses, ${options.connections} connections, ` +
      `${options.runs} runs of ${options.seconds} s, a checkpoint in each.\n`,
  )
  const lonely = parts.includes('lonely') ? await measureLonely(lab, rows) : ''
  const rounds = parts.includes('rounds') ? await runRounds(lab, rows, options) : []
  const runsOf = (id: string) => rounds.flatMap((round) => round.get(id) ?? [])
  const special = parts.includes('special') ? await measureSpecial(lab, rows, options) : []
  print(table([...rows.map(({ id, title }) => ({ title, runs: runsOf(id) })), ...special]))
  print('\nMilliseconds of processor, statements and bytes are for each request.\n')
  if (lonely !== '') print(`${lonely}\n`)
  const hot = parts.includes('hot') ? await measureHotShares(lab) : { shares: [], notes: [] }
  if (hot.notes.length > 0) print(`${hot.notes.join('\n')}\n`)
  print(verdicts(rounds, hot.shares))
}
