// `npm run bench -- scale`: what a fleet of millions costs: rates over few and over many instances, bytes, the jobs,
// and what an admin asks.
import { print, tell } from '../lab/numbers.ts'
import { readOptions } from '../lab/options.ts'
import { measureAdmin } from './admin-questions.ts'
import { requireSpace } from './disk.ts'
import { openScaleLab } from './lab.ts'
import { compareRates } from './rates.ts'
import { measureJobs } from './run-jobs.ts'
import { sizes } from './sizes.ts'

const DEFAULTS = {
  /** Of the large fleet and of the small one. */
  instances: 10_000_000,
  small: 10_000,
  /** The size at which an admin's questions are timed; the large fleet grows to it first. */
  asked: 1_000_000,
  licenses: 1_000,
  runs: 3,
  seconds: 10,
  connections: 64,
  /** PostgreSQL's own memory; the rest of the machine's caches files. */
  'shared-buffers': '2GB',
}

const options = readOptions(process.argv.slice(2), DEFAULTS)
const { instances, small } = options
const asked = Math.min(options.asked, instances)
await requireSpace(instances + small)

const lab = await openScaleLab({ licenses: options.licenses, sharedBuffers: options['shared-buffers'] })
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void lab.stop().finally(() => process.exit(1)))
}
try {
  print(`PostgreSQL with shared_buffers = ${options['shared-buffers']}, ${options.licenses} licenses.\n`)
  await lab.small.growTo(small)
  await lab.large.growTo(asked)
  print(`The background jobs over ${count(asked)} instances, one in a hundred silent for three days:\n`)
  print(`${await measureJobs(lab.large)}\n`)
  print(`An admin's questions over ${count(asked)} instances, half of them on one license:\n`)
  print(`${await measureAdmin(lab.large)}\n`)
  if (instances > asked) await lab.large.growTo(instances)
  print(`Heartbeats of licensed instances, ${options.runs} runs of ${options.seconds} s in alternation:\n`)
  print(`${await compareRates(lab, options)}\n`)
  if (instances > asked) {
    print(`The background jobs over ${count(instances)} instances, one in a hundred silent for three days:\n`)
    print(`${await measureJobs(lab.large)}\n`)
  }
  print(await sizes(lab.large))
  tell('done')
} finally {
  await lab.stop()
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
