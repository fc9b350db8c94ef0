// The refresh chain of an instance (T5): what a proven request's token leads to, and whether copies show.
// Pure: the caller locks the row, stores the state, and never lets the outcome decide over a right.
import { sha256Hex } from '../../platform/hash.ts'
import type { RandomBytes } from '../../platform/random.ts'
import { type CloneEvidence, findClones } from './clone-rule.ts'
import { type Branch, type LineageState, recentReturns, withBranch, withReturn } from './lineage-state.ts'
import {
  issueRefreshToken,
  LAST_N,
  type RefreshPosition,
  readRefreshToken,
  type TokenScope,
} from './refresh-token.ts'

/** What a request says of its chain; absent members were not sent. */
export interface LineageRequest {
  readonly refreshToken?: string | undefined
  readonly refreshId?: string | undefined
}

/**
 * What became of the request; for logs and metrics.
 * `first`: the instance had no chain, and brought no token. `advanced`: a token newer than the last.
 * `repeated`: the last token once more. `forked`: an older token, or the last one in other hands.
 * `adopted`: a token of ours whose branch is not on record. `no_token`, `bad_token`: a new branch for want of one.
 */
export type LineageOutcome =
  | 'first'
  | 'advanced'
  | 'repeated'
  | 'forked'
  | 'adopted'
  | 'no_token'
  | 'bad_token'

export interface LineageAdvance {
  /** To be stored in the row. */
  readonly state: LineageState
  /** The successor, to be handed out. */
  readonly nextToken: string
  readonly outcome: LineageOutcome
  /** The branch was used while another was the last used. */
  readonly returned: boolean
  /** This request completed or added to the evidence of a clone. */
  readonly cloned: boolean
  readonly cloneEvidence: CloneEvidence | null
}

/** How long the last token may be presented under other refresh ids: parallel refreshes of one process. */
const PARALLEL_MS = 30_000

/** Takes a proven request into its instance's chain. Refuses nothing, whatever is presented. (T5) */
export function advanceLineage(
  state: LineageState | null,
  request: LineageRequest,
  scope: TokenScope,
  now: Date,
  random: RandomBytes,
): LineageAdvance {
  const at = now.getTime()
  const idHash = request.refreshId === undefined ? null : sha256Hex(request.refreshId)
  const known = (state?.branches ?? []).map((b) => ({ ...b, returns: recentReturns(b.returns, at) }))
  const presented = request.refreshToken === undefined ? null : readRefreshToken(scope, request.refreshToken)
  const same = known.find((b) => b.id === presented?.branch)
  const outcome = judge(state, request, presented, same, idHash, at)

  const used = place(outcome, presented, same, idHash, at) ?? opened(known, idHash, at, random)
  const returned = used.id === presented?.branch && state !== null && state.current !== used.id
  const branch = returned ? { ...used, returns: withReturn(used.returns, at) } : used
  const branches = withBranch(known, branch)
  const cloneEvidence = returned ? findClones(branches) : null
  return {
    state: { current: branch.id, used: presented !== null || (state?.used ?? false), branches },
    nextToken: issueRefreshToken(scope, { branch: branch.id, n: branch.n + 1 }),
    outcome,
    returned,
    cloned: cloneEvidence !== null,
    cloneEvidence,
  }
}

function judge(
  state: LineageState | null,
  request: LineageRequest,
  presented: RefreshPosition | null,
  same: Branch | undefined,
  idHash: string | null,
  at: number,
): LineageOutcome {
  if (!presented) {
    if (request.refreshToken !== undefined) return 'bad_token'
    return state ? 'no_token' : 'first'
  }
  if (presented.n >= LAST_N) return 'forked'
  if (!same) return 'adopted'
  if (presented.n > same.n) return 'advanced'
  if (presented.n < same.n) return 'forked'
  const sameRequest = idHash === null || idHash === same.refresh_id_hash
  return sameRequest || Math.abs(at - same.used_at) <= PARALLEL_MS ? 'repeated' : 'forked'
}

/** The branch that goes on, or null where a new one has to be opened. */
function place(
  outcome: LineageOutcome,
  presented: RefreshPosition | null,
  same: Branch | undefined,
  idHash: string | null,
  at: number,
): Branch | null {
  if (outcome === 'repeated' && same) return same
  if ((outcome === 'advanced' || outcome === 'adopted') && presented) {
    const { branch: id, n } = presented
    return { id, n, refresh_id_hash: idHash, used_at: at, returns: same?.returns ?? [] }
  }
  return null
}

function opened(known: readonly Branch[], idHash: string | null, at: number, random: RandomBytes): Branch {
  let id = Buffer.from(random(4)).readUInt32BE()
  while (known.some((b) => b.id === id)) id = (id + 1) % 2 ** 32
  return { id, n: 0, refresh_id_hash: idHash, used_at: at, returns: [] }
}
