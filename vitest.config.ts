import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**'],
    globalSetup: ['test/support/postgres-global-setup.ts'],
    testTimeout: 40_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Files share a process, one after the other: nothing of ours is kept in modules, and loading it costs a second.
    isolate: false,
    // Much of the time is spent waiting for processes: one more worker than the two cores of the smallest machine.
    maxWorkers: Math.max(3, availableParallelism()),
    // Real processes on a crowded machine: what fails once and then passes is named in the summary.
    retry: process.env.CI ? 1 : 0,
  },
})
