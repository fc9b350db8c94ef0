import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const MODULE = resolve(import.meta.dirname, '../../src/server/young-generation.ts')
const PROGRAM = `import { boundYoungGeneration } from '${MODULE}'
boundYoungGeneration()
process.stdout.write(JSON.stringify([process.pid, process.execArgv.filter((text) => text.startsWith('--max')), process.env.KEPT]))`

function run(args: string[], env: Record<string, string> = {}) {
  const program = ['--input-type=module-typescript', '--eval', PROGRAM]
  const { stdout, stderr, pid } = spawnSync(process.execPath, [...args, ...program], {
    env: { KEPT: 'yes', ...env },
    encoding: 'utf8',
  })
  return { said: JSON.parse(stdout), stderr, pid }
}

test('a process without a bound becomes one with it: same id, same environment, nothing said', () => {
  const { said, stderr, pid } = run([])
  expect(said).toEqual([pid, ['--max-semi-space-size=16'], 'yes'])
  expect(stderr).toBe('')
})

test.each([
  ['an argument', ['--max_semi_space_size=4'], {}],
  ['NODE_OPTIONS', [], { NODE_OPTIONS: '--max-semi-space-size=4' }],
])('a bound given as %s stays', (_name, args, env) => {
  expect(run(args, env).said[1]).not.toContain('--max-semi-space-size=16')
})
