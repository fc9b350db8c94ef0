// The reports that heartbeat and refresh carry: numbers from the vendor's callbacks, features used, a running number.
// What diagnostics() has shown is what is sent, byte for byte.

import { isThenable, wordsOf } from '../guard.ts'
import type { Numbers, NumbersCallback } from '../options.ts'
import { refreshableJwt } from '../state/requests.ts'
import type { SdkState } from '../state/state.ts'
import { effectiveGrant } from '../state/view.ts'
import { now } from '../time/clock.ts'

/** Milliseconds that a callback may take. */
const CALLBACK_TIMEOUT = 2000
const MOST_NUMBERS = 90
const MOST_FEATURES = 200
const NAME = /^[a-z][a-z0-9_]{0,63}$/

export interface ReporterPort {
  telemetry: NumbersCallback | false
  usage: NumbersCallback | null
  state(): SdkState
  /** Features used since the last heartbeat that was heard. */
  usedFeatures(): string[]
  after(ms: number, work: () => void): () => void
  /** A callback failed: its numbers are lost for this report. */
  onLoss(which: 'telemetry' | 'usage', why: string): void
}

export interface Reporter {
  /** The text of the next report, which stays as it is until it is sent. Callbacks that answer later are asked ahead. */
  show(kind: 'heartbeat' | 'refresh'): string
  /** The text to send now. */
  take(kind: 'heartbeat' | 'refresh'): Promise<string>
}

type Sampled = { [which in 'telemetry' | 'usage']: Numbers | null }

export function openReporter(port: ReporterPort): Reporter {
  const sampled: Sampled = { telemetry: null, usage: null }
  const shown = new Map<'heartbeat' | 'refresh', string>()
  let seq = 0

  /** Asks a callback; at once where it answers at once. */
  function sample(which: 'telemetry' | 'usage'): Promise<void> | null {
    const callback = port[which]
    if (!callback) return null
    const lose = (why: string) => {
      sampled[which] = null
      port.onLoss(which, why)
    }
    try {
      const answer = callback()
      if (!isThenable(answer)) {
        sampled[which] = numbersOf(answer)
        return null
      }
      return bounded(Promise.resolve(answer), port.after)
        .then((numbers) => {
          sampled[which] = numbersOf(numbers)
        })
        .catch((error: unknown) => lose(wordsOf(error)))
    } catch (error) {
      lose(wordsOf(error))
      return null
    }
  }

  function text(kind: 'heartbeat' | 'refresh'): string {
    const state = port.state()
    return JSON.stringify(
      kind === 'heartbeat' ? heartbeat(state, port, sampled, seq++) : refresh(state, sampled, seq++),
    )
  }

  return {
    show(kind) {
      const kept = shown.get(kind)
      if (kept !== undefined) return kept
      sample('telemetry')?.catch(() => {})
      sample('usage')?.catch(() => {})
      const made = text(kind)
      shown.set(kind, made)
      return made
    },
    async take(kind) {
      const kept = shown.get(kind)
      shown.delete(kind)
      if (kept !== undefined) return kept
      await Promise.all([sample('telemetry'), sample('usage')])
      return text(kind)
    },
  }
}

/** Telemetry goes with the refresh where there is one by JWT, else with the heartbeat (reference, section 2). */
function heartbeat(
  state: SdkState,
  port: ReporterPort,
  sampled: Sampled,
  seq: number,
): Record<string, unknown> {
  const { config, view } = state
  const telemetry = refreshableJwt(state) === null ? sampled.telemetry : null
  return {
    instance_id: config.instanceId,
    product: config.product,
    reported_tier: view.tier,
    has_valid_entitlement: effectiveGrant(state) !== null,
    metrics: {
      ...telemetry,
      ...sampled.usage,
      feature_usage: port.usedFeatures().slice(0, MOST_FEATURES),
      entitlement_token_hash: state.entitlementHash,
      server_version: config.version,
      uptime_hours: uptimeHours(state),
    },
    ...common(state, seq),
  }
}

function refresh(state: SdkState, sampled: Sampled, seq: number): Record<string, unknown> {
  const { config } = state
  const jwt = refreshableJwt(state)
  return {
    ...(jwt ? { license_id: jwt.licenseId } : {}),
    instance_id: config.instanceId,
    version: config.version,
    uptime_hours: uptimeHours(state),
    ...(sampled.telemetry === null ? {} : { telemetry: sampled.telemetry }),
    ...common(state, seq),
  }
}

function common(state: SdkState, seq: number): Record<string, unknown> {
  return {
    boot_id: state.config.bootId,
    seq,
    observed_at: new Date(now(state.time)).toISOString(),
  }
}

function uptimeHours({ time }: SdkState): number {
  return Math.round((time.elapsed / 3_600_000) * 1000) / 1000
}

/** The numbers that the server would take; whatever else a callback gives is left out. */
function numbersOf(value: unknown): Numbers {
  const numbers: Record<string, number> = {}
  if (typeof value !== 'object' || value === null) return numbers
  for (const [name, number] of Object.entries(value)) {
    if (!NAME.test(name) || typeof number !== 'number' || !Number.isFinite(number)) continue
    numbers[name] = number
    if (Object.keys(numbers).length === MOST_NUMBERS) break
  }
  return numbers
}

function bounded<T>(work: Promise<T>, after: ReporterPort['after']): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = after(CALLBACK_TIMEOUT, () => reject(new Error(`no answer within ${CALLBACK_TIMEOUT} ms`)))
    work.then(resolve, reject).finally(cancel)
  })
}
