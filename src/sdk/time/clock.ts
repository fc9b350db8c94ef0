// The SDK's time (T7): a floor that only a fresh directive lowers, and running time that also counts a suspended
// machine. Pure; reads no clock. All in milliseconds.
import type { ClockPolicy } from '../options.ts'

/** What the two clocks show at one moment. */
export interface Instant {
  /** Unix milliseconds. */
  wall: number
  mono: number
}

export interface TimeState {
  at: Instant
  /** Time that passed since the start, suspension included. Never goes back; deadlines are kept in it. */
  elapsed: number
  /** A time that was vouched for by a signature, and when. Null before the first. */
  floor: { time: number; mono: number } | null
  /** Rises when a fresh directive lowers the floor, so that other processes follow it down. */
  floorEpoch: number
  /** By how much the wall clock was ahead of the server at the last contact; 0 when it was right or behind. */
  ahead: number
  policy: ClockPolicy
}

/** Differences up to this are nobody's fault. */
export const CLOCK_TOLERANCE = 5 * 60_000
/** A wall clock that gained more than this on the running clock was set, or the machine was suspended. */
const JUMP = 60_000

export function startTime(at: Instant, policy: ClockPolicy): TimeState {
  return { at, elapsed: 0, floor: null, floorEpoch: 0, ahead: 0, policy }
}

/** Time passes. A wall clock that jumped forwards may mean a suspended machine: what is due then, is due. */
export function advance(time: TimeState, at: Instant): TimeState {
  const ran = Math.max(0, at.mono - time.at.mono)
  const shown = at.wall - time.at.wall
  const passed = shown > ran + JUMP ? shown : ran
  const mono = Math.max(at.mono, time.at.mono)
  const next = { ...time, at: { wall: at.wall, mono }, elapsed: time.elapsed + passed }
  // Someone set a clock right that was ahead: the correction goes with the error.
  return next.ahead > 0 && isBehind(next) ? { ...next, ahead: 0 } : next
}

/** The floor now, unix milliseconds; −Infinity before the first signed time. */
export function floorNow({ floor, at }: TimeState): number {
  return floor === null ? Number.NEGATIVE_INFINITY : floor.time + (at.mono - floor.mono)
}

/** Whether the wall clock stands behind the floor by more than the tolerance. */
export function isBehind(time: TimeState): boolean {
  return floorNow(time) - (time.at.wall - time.ahead) > CLOCK_TOLERANCE
}

/** The time that counts, unix milliseconds. */
export function now(time: TimeState): number {
  const wall = time.at.wall - time.ahead
  return time.policy === 'warn' && isBehind(time) ? wall : Math.max(wall, floorNow(time))
}

/** The same in whole unix seconds, as everything signed has it. */
export function nowSeconds(time: TimeState): number {
  return Math.floor(now(time) / 1000)
}

/** Whether the policy leaves the community tier because of the clock. */
export function isDenied(time: TimeState): boolean {
  return time.policy === 'deny' && isBehind(time)
}

/** A verified grant of this second exists: it is at least as late as that. */
export function raiseFloor(time: TimeState, issuedAt: number): TimeState {
  const signed = issuedAt * 1000
  return signed > floorNow(time) ? { ...time, floor: { time: signed, mono: time.at.mono } } : time
}

/** A fresh directive says what time it is, forwards or backwards (T1, T7). `iat` in unix seconds. */
export function setFloor(time: TimeState, iat: number): TimeState {
  const signed = iat * 1000
  const lowered = signed < floorNow(time) - CLOCK_TOLERANCE
  const ahead = time.at.wall - signed
  return {
    ...time,
    floor: { time: signed, mono: time.at.mono },
    floorEpoch: time.floorEpoch + (lowered ? 1 : 0),
    ahead: ahead > CLOCK_TOLERANCE ? ahead : 0,
  }
}

export interface StoredTime {
  /** Unix milliseconds; null before the first signed time. */
  floor: number | null
  floor_epoch: number
  ahead: number
}

export function storeTime(time: TimeState): StoredTime {
  const floor = time.floor === null ? null : Math.floor(floorNow(time))
  return { floor, floor_epoch: time.floorEpoch, ahead: time.ahead }
}

/** What another process, or an earlier one, knew: the higher floor counts, unless a directive has lowered it since. */
export function adoptTime(time: TimeState, stored: StoredTime): TimeState {
  const { floor, floor_epoch: floorEpoch, ahead } = stored
  if (floor === null || floorEpoch < time.floorEpoch) return time
  const higher = floorEpoch > time.floorEpoch ? floor : Math.max(floor, floorNow(time))
  return { ...time, floor: { time: higher, mono: time.at.mono }, floorEpoch, ahead }
}
