// What the instance row remembers of a refresh chain (T5): at most eight branches, and when each returned.
// Owns its form, its bound, and which branch is forgotten first. Pure; times are unix milliseconds.

/** One line of descent in an instance's chain. An undisturbed instance has one. */
export interface Branch {
  readonly id: number
  /** Number of the last token of this branch that was presented; 0 if it was opened and not yet used. */
  readonly n: number
  /** SHA-256 of the `refresh_id` that `n` was first presented with; null if there was none. */
  readonly refresh_id_hash: string | null
  /** When `n` was first presented. */
  readonly used_at: number
  /** When the branch was used while another was the last used; oldest first. */
  readonly returns: readonly number[]
}

/** JSON of the instance row. */
export interface LineageState {
  /** The branch that was used last. */
  readonly current: number
  /** Whether the instance has ever presented a token of its chain (T8). */
  readonly used: boolean
  readonly branches: readonly Branch[]
}

export const MAX_BRANCHES = 8
/** How long a return counts. */
export const RETURN_WINDOW_MS = 7 * 86_400_000

const COUNTED_EXACTLY = 3
const THINNED_TO_MS = 12 * 3_600_000
// Servers whose clock is further off than this sign nothing (T7): a later time is of a clock since put right.
const CLOCK_SKEW_MS = 60_000

/** The returns that count at `at`. */
export function recentReturns(returns: readonly number[], at: number): number[] {
  return returns.filter((t) => t >= at - RETURN_WINDOW_MS && t <= at + CLOCK_SKEW_MS)
}

/**
 * `returns` with one more. The newest three are kept as they are, which is as many as are ever counted; of older
 * ones one each 12 h, which is enough to know how far back they go. So a branch holds at most 18.
 */
export function withReturn(returns: readonly number[], at: number): number[] {
  const all = [...returns, at].sort((a, b) => a - b)
  const kept: number[] = []
  for (const t of all.slice(0, -COUNTED_EXACTLY)) {
    const last = kept.at(-1)
    if (last === undefined || t - last >= THINNED_TO_MS) kept.push(t)
  }
  return [...kept, ...all.slice(-COUNTED_EXACTLY)]
}

/**
 * Puts `branch` in, in place of its earlier self, and forgets another if there are too many. Forgetting costs no
 * rights: the branch is adopted when its holder comes back.
 */
export function withBranch(branches: readonly Branch[], branch: Branch): Branch[] {
  const others = branches.filter((b) => b.id !== branch.id).sort(worthMore)
  return [...others.slice(0, MAX_BRANCHES - 1), branch]
}

// Branches that returned are kept before those that did not. Accidents leave branches that never return, so of
// those the longest unused goes first. Among branches that returned equally often the newest goes first:
// otherwise more copies than there are places, taking turns, would push each other out for ever.
function worthMore(a: Branch, b: Branch): number {
  if (a.returns.length !== b.returns.length) return b.returns.length - a.returns.length
  return a.returns.length === 0 ? b.used_at - a.used_at : a.used_at - b.used_at
}

/** The state in a stored value, or null if there is none or it cannot be read: lineage never refuses (T5). */
export function readLineageState(value: unknown): LineageState | null {
  if (!isRecord(value) || !isInteger(value.current) || typeof value.used !== 'boolean') return null
  const { current, used, branches } = value
  if (!Array.isArray(branches) || branches.length > MAX_BRANCHES || !branches.every(isBranch)) return null
  return { current, used, branches }
}

function isBranch(value: unknown): value is Branch {
  return (
    isRecord(value) &&
    isInteger(value.id) &&
    isInteger(value.n) &&
    (value.refresh_id_hash === null || typeof value.refresh_id_hash === 'string') &&
    isInteger(value.used_at) &&
    Array.isArray(value.returns) &&
    value.returns.every(isInteger)
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
