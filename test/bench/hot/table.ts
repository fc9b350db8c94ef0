// The table of the hot bench: one line a row, medians of the runs that count.
import { columns, figure, median } from '../lab/numbers.ts'
import type { Figures } from './measure.ts'

const HEAD = [
  '',
  'a second',
  'p50 ms',
  'p99 ms',
  'node ms',
  'postgres ms',
  'statements',
  'WAL bytes',
  'failed',
]

export interface Row {
  title: string
  runs: readonly Figures[]
}

export function table(rows: readonly Row[]): string {
  const lines = rows
    .filter(({ runs }) => runs.length > 0)
    .map(({ title, runs }) => {
      const middle = (of: keyof Figures) => figure(median(runs.map((run) => run[of])))
      return [
        title,
        ...(['rate', 'p50Ms', 'p99Ms', 'nodeMs', 'postgresMs', 'statements', 'walBytes'] as const).map(
          middle,
        ),
        String(runs.reduce((sum, run) => sum + run.failed, 0)),
      ]
    })
  return columns([HEAD, ...lines])
}
