import { defineConfig } from 'vitest/config'

// Figures, not tests: one file after the other, alone on the machine; each prints what it measured.
export default defineConfig({
  test: {
    include: ['test/bench/**/*.bench.ts'],
    globalSetup: ['test/support/postgres-global-setup.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    fileParallelism: false,
    disableConsoleIntercept: true,
    passWithNoTests: true,
  },
})
