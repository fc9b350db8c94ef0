// The ratios that the server must reach, each of two rows in one round; the median over the rounds counts.
import { columns, median } from '../lab/numbers.ts'
import type { Figures } from './measure.ts'

/** What one round measured, by the id of the row. */
export type Round = ReadonlyMap<string, Figures>

interface Demand {
  text: string
  of: (round: Round) => number
  atLeast?: number
  atMost?: number
}

const rate = (round: Round, id: string) => round.get(id)?.rate ?? Number.NaN
const ratio = (a: string, b: string) => (round: Round) => rate(round, a) / rate(round, b)

const DEMANDS: readonly Demand[] = [
  { text: 'heartbeat / hand-written transaction', of: ratio('heartbeat', 'transaction'), atLeast: 2 },
  { text: 'heartbeat / one CTE', of: ratio('heartbeat', 'cte'), atLeast: 0.7 },
  { text: 'heartbeat / echo (aim)', of: ratio('heartbeat', 'echo'), atLeast: 0.6 },
  {
    text: 'heartbeat without a license / transaction',
    of: ratio('heartbeat-none', 'transaction'),
    atLeast: 3,
  },
  { text: 'exchange / oidc-provider', of: ratio('exchange', 'oidc'), atLeast: 0.7 },
  { text: 'refresh / oidc-provider', of: ratio('refresh', 'oidc'), atLeast: 0.7 },
  { text: 'new seats on one license / refresh', of: ratio('activate', 'refresh'), atLeast: 0.5 },
  { text: 'signing-key / healthz', of: ratio('signing-key', 'healthz'), atLeast: 0.7 },
  { text: 'jwks / healthz', of: ratio('jwks', 'healthz'), atLeast: 0.7 },
  { text: 'bare answer / healthz', of: ratio('answer', 'healthz'), atMost: 1.3 },
  { text: 'bare echo / echo through our middleware', of: ratio('echo', 'own-echo'), atMost: 1.6 },
  { text: 'heartbeat p99, ms', of: (round) => round.get('heartbeat')?.p99Ms ?? Number.NaN, atMost: 40 },
]

export interface Share {
  text: string
  /** 0 to 1. */
  value: number
  atLeast: number
}

export function verdicts(rounds: readonly Round[], shares: readonly Share[]): string {
  const measured = DEMANDS.map((demand) => ({ ...demand, value: median(rounds.map(demand.of)) }))
  return columns([
    ['', 'measured', 'wanted', ''],
    ...[...measured, ...shares].filter(({ value }) => !Number.isNaN(value)).map(verdict),
  ])
}

function verdict({ text, value, atLeast, atMost }: Omit<Demand, 'of'> & { value: number }): string[] {
  const reached = value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity)
  const wanted = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`
  return [text, value.toFixed(value < 10 ? 2 : 1), wanted, reached ? 'reached' : 'NOT REACHED']
}
