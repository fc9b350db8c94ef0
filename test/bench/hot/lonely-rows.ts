// The latency of a lonely request, of the server and of the anchors.
import { columns, figure, tell } from '../lab/numbers.ts'
import type { Lab } from './lab.ts'
import { lonelyMs } from './lonely.ts'
import type { Workload } from './workload.ts'

const ROWS = [
  'echo',
  'transaction',
  'cte',
  'oidc',
  'heartbeat',
  'heartbeat-token',
  'exchange',
  'refresh',
  'activate',
  'validate',
  'signing-key',
  'healthz',
]
const REQUESTS = 250

/** A table of medians; the rows are measured one after the other, all other programs frozen. */
export async function measureLonely(lab: Lab, rows: readonly Workload[]): Promise<string> {
  const lines: string[][] = [['One request at a time, median of 200', 'ms']]
  for (const row of ROWS.flatMap((id) => rows.filter((candidate) => candidate.id === id))) {
    const target = lab.programs[row.target]
    for (const program of Object.values(lab.programs)) {
      if (program === target) program.resume()
      else program.pause()
    }
    const { requests } = await row.list(REQUESTS)
    const ms = await lonelyMs(target, requests)
    tell(`${row.title}: ${figure(ms)} ms when alone`)
    lines.push([row.title, figure(ms)])
  }
  return columns(lines)
}
