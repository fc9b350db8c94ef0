// Settings that say how long or how often: durations, the rate limit and the action budget.
import { DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS, SECOND_SECONDS } from '../platform/time.ts'
import { type Reader, wholeNumber } from './reading.ts'

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: SECOND_SECONDS,
  m: MINUTE_SECONDS,
  h: HOUR_SECONDS,
  d: DAY_SECONDS,
}

export interface RateLimit {
  readonly perMinute: number
}

/** Both an hour. */
export interface ActionBudget {
  readonly perKey: number
  readonly inAll: number
}

/** `<n>s|m|h|d` within the bounds, themselves written so; the value is in seconds. */
export function duration(least: string, most: string): Reader<number> {
  const [from, to] = [seconds(least), seconds(most)]
  if (from === null || to === null) throw new TypeError('bounds are durations')
  return (text) => {
    const value = seconds(text)
    if (value === null) return { wrong: 'is not a duration' }
    if (value < from) return { wrong: `is below ${least}` }
    return value > to ? { wrong: `is above ${most}` } : { value }
  }
}

/** `off` (null) or `<n>/min`. */
export const readRateLimit: Reader<RateLimit | null> = (text) => {
  if (text === 'off') return { value: null }
  const digits = /^(\d+)\/min$/.exec(text)?.[1]
  if (digits === undefined) return { wrong: 'is neither off nor a number a minute' }
  const count = wholeNumber(1, 1_000_000)(digits)
  return 'wrong' in count ? count : { value: { perMinute: count.value } }
}

/** `off` (null) or `<per key>/<in all>`. */
export const readActionBudget: Reader<ActionBudget | null> = (text) => {
  if (text === 'off') return { value: null }
  const [perKey, inAll, ...more] = text.split('/').map(wholeNumber(1, 1_000_000))
  if (!perKey || !inAll || more.length > 0) return { wrong: 'is neither off nor two numbers an hour' }
  if ('wrong' in perKey) return perKey
  return 'wrong' in inAll ? inAll : { value: { perKey: perKey.value, inAll: inAll.value } }
}

function seconds(text: string): number | null {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const factor = unit === undefined ? undefined : UNIT_SECONDS[unit]
  return digits === undefined || factor === undefined ? null : Number(digits) * factor
}
