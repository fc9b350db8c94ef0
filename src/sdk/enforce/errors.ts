// The refusals of a cap as errors, and as what HTTP answers for them. Decides nothing; knows no framework.
import {
  artefactCountMessage,
  type CapReached,
  type CapReachedBody,
  capMessage,
  capReachedBody,
  retentionMessage,
  type Standing,
} from '../../license/messages.ts'
import type { LicenseState } from '../../license/states.ts'

/** 403: more than the license allows. Its message says why, and what to do. */
export class CapExceededError extends Error {
  readonly limit: string
  /** What was asked for is counted in. */
  readonly current: number
  readonly cap: number
  readonly state: LicenseState
  /** What to answer. */
  readonly body: CapReachedBody
  /** @internal */
  constructor(standing: Standing, reached: CapReached) {
    super(capMessage(standing, reached))
    this.name = 'CapExceededError'
    this.limit = reached.limit
    this.current = reached.current
    this.cap = reached.cap
    this.state = standing.state
    this.body = capReachedBody(standing, reached)
  }
}

/** The body of the 422. */
export interface SettingOverCapBody {
  /** `retention <key>=<v> exceeds license cap <cap>`, `jarRetentionCount <v> exceeds license cap <cap>`. */
  error: string
  limit: string
  current: number
  cap: number
  state: LicenseState
  /** Why the cap is what it is, and what to do. */
  message: string
}

/** 422: a setting over its cap: days of retention, artefacts that are kept. */
export class SettingOverCapError extends Error {
  readonly limit: string
  /** The value that was asked for. */
  readonly current: number
  readonly cap: number
  readonly state: LicenseState
  readonly body: SettingOverCapBody
  /** `name`: the setting as the request names it; null for a number of artefacts. @internal */
  constructor(standing: Standing, { limit, current, cap }: CapReached, name: string | null) {
    super(name === null ? artefactCountMessage(current, cap) : retentionMessage(name, current, cap))
    this.name = 'SettingOverCapError'
    this.limit = limit
    this.current = current
    this.cap = cap
    this.state = standing.state
    const message = capMessage(standing, { limit, current, cap })
    this.body = { error: this.message, limit, current, cap, state: standing.state, message }
  }
}

/** What HTTP answers for a refusal; null for any other error. */
export function capRefusal(
  error: unknown,
): { status: 403; body: CapReachedBody } | { status: 422; body: SettingOverCapBody } | null {
  if (error instanceof CapExceededError) return { status: 403, body: error.body }
  if (error instanceof SettingOverCapError) return { status: 422, body: error.body }
  return null
}
