// The drills that whoever runs a server can try: on a database beside theirs, and on an embedded one of their own.
import { expect, test } from 'vitest'
import { must, runSteps, type StepResult } from '../../src/drill/steps.ts'
import { cloneDatabase } from '../support/database.ts'
import { inProcess } from '../support/leasehold-cli.ts'
import { outsideDatabase } from '../support/outside-database.ts'
import { query } from '../support/query.ts'

interface Outcome {
  passed: boolean
  steps: StepResult[]
}

const scratchDatabases = async (url: string) =>
  (await query(url, "select datname from pg_database where datname like 'leasehold_drill_%'")).length

test.each([
  ['rotate', 8],
  ['restore', 7],
])(
  '%s passes beside DATABASE_URL in %i steps, and leaves nothing there',
  async (name, count) => {
    const clone = await cloneDatabase()
    const said = await inProcess(['drill', name, '--json'], '', outsideDatabase(clone.url))
    const { passed, steps } = JSON.parse(said.out) as Outcome
    expect(steps.filter((step) => !step.passed)).toEqual([])
    expect([said.code, passed, steps.length]).toEqual([0, true, count])
    expect(await scratchDatabases(clone.url)).toBe(0)
    expect(await query(clone.url, 'select code from products')).toEqual([])
    await clone.drop()
  },
  60_000,
)

test('restore passes on an embedded database, with its own backup and restore', async () => {
  const said = await inProcess(['drill', 'restore'])
  expect(said.out).toMatch(/^(pass .*\n){7}$/)
  expect(said.code).toBe(0)
  expect(said.err).toMatch(/embedded PostgreSQL [\d.]+ in .*\nThe drill passed: 7 steps\.\n$/)
}, 60_000)

test('a drill ends with the step that fails, and says why', async () => {
  const told: StepResult[] = []
  const passed = await runSteps(
    async (step) => {
      await step('one', async () => 'done')
      await step('two', async () => {
        must(false, 'it was not so')
        return ''
      })
      await step('three', async () => 'never')
    },
    (result) => told.push(result),
    String,
  )
  expect(passed).toBe(false)
  expect(told.map(({ step, passed: ok, detail }) => [step, ok, detail])).toEqual([
    ['one', true, 'done'],
    ['two', false, 'it was not so'],
  ])
})
