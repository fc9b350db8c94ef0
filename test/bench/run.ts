// `npm run bench -- <name> …`: `hot` and `scale` are programs of their own, whatever else is run by vitest.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const PROGRAMS: Readonly<Record<string, string>> = { hot: 'hot/main.ts', scale: 'scale/main.ts' }

const [name = '', ...rest] = process.argv.slice(2)
const program = PROGRAMS[name]
const vitest = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
const args = program
  ? [join(import.meta.dirname, program), ...rest]
  : [vitest, 'run', '--config', 'vitest.bench.config.ts', ...process.argv.slice(2)]
const child = spawn(process.execPath, args, { stdio: 'inherit' })
// The program ends what it started; a Ctrl-C reaches it by itself.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill())
child.on('exit', (code) => process.exit(code ?? 1))
