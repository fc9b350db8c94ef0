// The whole state of a running SDK, as one immutable value. Types and the first value; what changes it is reduce.ts.
import type { Action, LicenseKeyPayload } from '../../contract/claims.ts'
import type { LicenseKeyUse } from '../../license/lease.ts'
import type { TriedStep } from '../explain/explanation.ts'
import { NO_GRANTS, type Slots } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import type { Rejections } from '../grants/rejection.ts'
import type { LicenseView } from '../public/license.ts'
import type { Chance } from '../schedule/random.ts'
import { type Instant, startTime, type TimeState } from '../time/clock.ts'
import type { Config } from './config.ts'
import { type Hints, NO_HINTS } from './hints.ts'

/** What is asked of the server by itself, again and again. */
export const TASKS = ['register', 'grant', 'heartbeat'] as const
export type TaskKind = (typeof TASKS)[number]

export interface Task {
  /** In elapsed milliseconds; null: not due. */
  dueAt: number | null
  /** In a row. */
  failures: number
  /** Whether a run of this process has succeeded. */
  done: boolean
}

export type Role = 'leader' | 'follower' | 'alone' | 'stopped'

/** The last fresh word about this instance. */
export interface InstanceAction {
  action: Action
  seq: number
  reason: string
  /** Unix seconds of the directive. */
  iat: number
}

/** The refresh chain (T5). */
export interface Chain {
  refreshToken: string | null
  /** Pending: it went out and no answer to it was stored yet. */
  refreshId: string | null
}

export interface Identity {
  token: string | null
  /** The server did not know it: unsigned, so it is kept until another takes its place (T1). */
  doubted: boolean
  /** When the instance last proved itself anew, in elapsed milliseconds. */
  reprovedAt: number | null
}

/** An offline answer that holds: what it says of the instance, and the license in it. */
export interface Activated {
  word: InstanceAction & { nonce: string }
  grant: Grant
}

export interface HeldLicenseKey {
  token: string
  /** SHA-256 of the token, by which its use is remembered. */
  hash: string
  kid: string
  payload: LicenseKeyPayload
  use: LicenseKeyUse
}

export interface InstallFault {
  /** A code. */
  reason: string
  /** To the letter of the reference. */
  message: string
}

export interface SdkState {
  config: Config
  time: TimeState
  chance: Chance
  role: Role
  /** Whether the start is over: until then nothing is told. */
  settled: boolean
  slots: Slots
  licenseKey: HeldLicenseKey | null
  /** Codes of what was given and is no license: the first makes the state INVALID where nothing is in force. */
  invalid: readonly string[]
  /** Why the last license that was to be installed was refused, while nothing else is in force. */
  installFault: InstallFault | null
  rejections: Rejections
  /** By license id, the second up to which a rejection is no news: the server has spoken of the license since. */
  heard: ReadonlyMap<string | null, number>
  revokedKeys: ReadonlyMap<string, number>
  action: InstanceAction | null
  /** The offline answer that is installed, and the nonce of the one that has last been applied. */
  installed: Activated | null
  appliedActivation: string | null
  identity: Identity
  chain: Chain
  /** Whether the license key has been activated by this process. */
  activated: boolean
  tasks: Readonly<Record<TaskKind, Task>>
  inFlight: TaskKind | null
  /** What `refreshNow` waits for. */
  asked: readonly TaskKind[]
  /** Failures to reach the server in a row, and until when it is left alone (elapsed milliseconds). */
  outage: { failures: number; until: number }
  /** As the server last set them, in milliseconds. */
  intervals: { heartbeat: number; refresh: number }
  /** The live channel's address as the server last named it; null where it names none. */
  sync: string | null
  hints: Hints
  /** `Leasehold-Cache` of the last answer. */
  relayCache: string | null
  entitlementHash: string
  /** Hash of the credential by which the cached license was obtained. */
  credential: string | null
  /** Hash of the credential in use; null where there is none. */
  ownCredential: string | null
  tried: readonly TriedStep[]
  /** Unix milliseconds of the last fresh directive. */
  lastContact: number | null
  /** The last failure since then: a code, and words. */
  lastFailure: { code: string; text: string } | null
  /** A cached license is in use and nobody has been told why yet. */
  cacheNotice: boolean
  /** Warnings that were shown and shall not be again, across restarts. */
  shown: readonly string[]
  clockWarned: boolean
  /** Something that survives restarts has changed. */
  dirty: boolean
  /** When the state is written again at the latest, for the floor or after a failed write (elapsed milliseconds). */
  saveDueAt: number
  /** The newest online grant could not be written to the cache. */
  cacheUnsaved: boolean
  /** Rises when the lead is lost: what was asked before that is not this process's to hear any more. */
  term: number
  view: LicenseView
}

/** A process that is killed again and again lives longer than this, and brings the floor forward each time. */
export const FIRST_SAVE = 60_000

const NOT_DUE: Task = { dueAt: null, failures: 0, done: false }

/** The state before anything was read: community tier. */
export function initialState(config: Config, at: Instant, seed: number): SdkState {
  const { community } = config
  return {
    config,
    time: startTime(at, config.clockPolicy),
    chance: { seed },
    role: 'alone',
    settled: false,
    slots: NO_GRANTS,
    licenseKey: null,
    invalid: [],
    installFault: null,
    rejections: {},
    heard: new Map(),
    revokedKeys: new Map(),
    action: null,
    installed: null,
    appliedActivation: null,
    identity: { token: null, doubted: false, reprovedAt: null },
    chain: { refreshToken: null, refreshId: null },
    activated: false,
    tasks: { register: NOT_DUE, grant: NOT_DUE, heartbeat: NOT_DUE },
    inFlight: null,
    asked: [],
    outage: { failures: 0, until: 0 },
    intervals: { heartbeat: config.heartbeatInterval, refresh: config.refreshInterval },
    sync: null,
    hints: NO_HINTS,
    relayCache: null,
    entitlementHash: '',
    credential: null,
    ownCredential: null,
    tried: [],
    lastContact: null,
    lastFailure: null,
    cacheNotice: false,
    shown: [],
    clockWarned: false,
    dirty: false,
    saveDueAt: FIRST_SAVE,
    cacheUnsaved: false,
    term: 0,
    view: {
      state: 'ABSENT',
      source: 'community',
      tier: community.tier,
      features: [...community.features].sort(),
      limits: community.limits,
      killed: false,
      downgraded: false,
      reason: 'no_license',
    },
  }
}
