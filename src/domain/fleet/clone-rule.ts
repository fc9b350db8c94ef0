// When branches that keep returning amount to two running copies (T5). Pure; times are unix milliseconds.
import { fromUnixSeconds, rfc3339 } from '../../platform/time.ts'
import type { Branch } from './lineage-state.ts'

/** What shows that two copies of an instance are running; the evidence of `instance_cloned`. */
export interface CloneEvidence {
  /** The two branches that returned most often. */
  readonly branches: readonly [BranchReturns, BranchReturns]
  /** How many branches the row knows. */
  readonly branches_known: number
}

export interface BranchReturns {
  /** The branch's number in hex. */
  readonly branch: string
  /** Returns on record within 7 days; where a branch returns often, older ones are thinned out. */
  readonly returns: number
  /** RFC 3339. */
  readonly first_return: string
  readonly last_return: string
}

const RETURNS_NEEDED = 3
/** The returns of both branches must cover the same 24 h, so that two short disturbances a day apart do not. */
const COMMON_SPAN_MS = 24 * 3_600_000

interface Span {
  readonly branch: Branch
  readonly first: number
  readonly last: number
}

/**
 * Two branches that have each returned 3 times within 7 days, over the same 24 h or more; null if there are none.
 * Expects returns pruned to the window. (T5)
 */
export function findClones(branches: readonly Branch[]): CloneEvidence | null {
  const spans = branches
    .filter((branch) => branch.returns.length >= RETURNS_NEEDED)
    .map((branch) => ({ branch, first: Math.min(...branch.returns), last: Math.max(...branch.returns) }))
    .sort((a, b) => b.branch.returns.length - a.branch.returns.length)
  for (const [i, a] of spans.entries()) {
    const b = spans.slice(i + 1).find((other) => commonSpan(a, other) >= COMMON_SPAN_MS)
    if (b) return { branches: [shown(a), shown(b)], branches_known: branches.length }
  }
  return null
}

function commonSpan(a: Span, b: Span): number {
  return Math.min(a.last, b.last) - Math.max(a.first, b.first)
}

function shown({ branch, first, last }: Span): BranchReturns {
  return {
    branch: branch.id.toString(16).padStart(8, '0'),
    returns: branch.returns.length,
    first_return: shownTime(first),
    last_return: shownTime(last),
  }
}

function shownTime(at: number): string {
  return rfc3339(fromUnixSeconds(Math.floor(at / 1000)))
}
