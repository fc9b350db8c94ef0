// Writes drizzle/0000_baseline.sql, all of the schema as one migration, from src/db/schema: what drizzle-kit makes of the
// TypeScript, the partitioning of `reports`, and by-hand.sql. `--check` only says whether it is up to date. Until the
// first release every change of the schema ends with it; from then on `npm run db:generate` adds a migration instead.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDER = join(ROOT, 'drizzle')
const NAME = '0000_baseline.sql'
const BREAKPOINT = '--> statement-breakpoint\n'
const HEAD = `-- Made by \`npm run db:baseline\` from src/db/schema. To change it, change that, and run it again.
`
/** drizzle-kit knows no partitions. */
const REPORTS = /(CREATE TABLE "reports" \([^;]*\n\));/

const made = mkdtempSync(join(tmpdir(), 'leasehold-baseline-'))
try {
  const sql = generate(made)
  const checking = process.argv.includes('--check')
  if (sql === current()) say('The baseline is up to date.')
  else if (checking) {
    say('The baseline is not what src/db/schema says: run `npm run db:baseline`.')
    process.exitCode = 1
  } else {
    writeFileSync(join(made, NAME), sql)
    rmSync(FOLDER, { recursive: true, force: true })
    cpSync(made, FOLDER, { recursive: true })
    say(`Wrote drizzle/${NAME}. A database of the baseline before it cannot be upgraded: make it anew.`)
  }
} finally {
  rmSync(made, { recursive: true, force: true })
}

/** drizzle-kit wants its folder relative to where it runs. */
function generate(folder: string): string {
  const out = relative(ROOT, folder)
  const options = ['--dialect', 'postgresql', '--schema', './src/db/schema/index.ts', '--name', 'baseline']
  execFileSync(process.execPath, [kit(), 'generate', ...options, '--out', out], { cwd: ROOT, stdio: 'pipe' })
  const tables = readFileSync(join(folder, NAME), 'utf8')
  if (!REPORTS.test(tables)) throw new Error('drizzle-kit writes the table of reports in another form')
  const partitioned = tables.replace(REPORTS, '$1 PARTITION BY RANGE ("received_on");')
  const byHand = readFileSync(join(ROOT, 'src/db/schema/by-hand.sql'), 'utf8')
  return `${HEAD}${partitioned.trimEnd()}${/^\s*[^-\s]/m.test(byHand) ? `${BREAKPOINT}${byHand}` : '\n'}`
}

function kit(): string {
  return join(ROOT, 'node_modules/drizzle-kit/bin.cjs')
}

function current(): string | null {
  try {
    return readFileSync(join(FOLDER, NAME), 'utf8')
  } catch {
    return null
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
