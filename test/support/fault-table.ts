// The table of what came of each fault, as the test run prints it and README shows it.

import type { Audit } from './fault-site.ts'
import type { Held } from './fleet.ts'

export interface FaultResult {
  fault: string
  /** What instances held all through. */
  kept: string
  /** Null where the fault was not made. */
  audit: Audit | null
  /** Milliseconds. */
  back: number | null
}

const HEAD = [
  'fault',
  'features of the 50 instances',
  'reports acknowledged',
  'lost',
  'doubled',
  'channel back',
]

/** Markdown. */
export function faultTable(results: readonly FaultResult[]): string {
  const rows = results.map(({ fault, kept, audit, back }) => [
    fault,
    kept,
    String(audit?.acknowledged ?? ''),
    String(audit?.lost ?? ''),
    String(audit?.doubled ?? ''),
    back === null ? '' : `${(back / 1000).toFixed(1)} s`,
  ])
  return [HEAD, HEAD.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Which instances kept which features, in words: those who hold the same in one group. */
export function keptWords(held: readonly Held[]): string {
  const groups = Map.groupBy(held, ({ features, lost }) => {
    const flickered = lost.filter((feature) => features.includes(feature))
    const now = features.length === 0 ? 'none' : features.join(', ')
    return flickered.length === 0 ? now : `${now} (lost for a while: ${flickered.join(', ')})`
  })
  return [...groups].map(([words, members]) => `${members.length}: ${words}`).join('; ')
}
