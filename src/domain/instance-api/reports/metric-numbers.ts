// What of a client's metrics counts as a number.

const METRIC_NAME = /^[a-z][a-z0-9_]{0,63}$/

const isUsable = (value: unknown): value is number =>
  typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER

/** The metrics that are numbers; a boolean counts as 0 or 1. Whatever else a newer client sends is left out. */
export function numbersOf(metrics: Record<string, unknown>): Record<string, number> {
  const numbers: Record<string, number> = {}
  for (const [name, value] of Object.entries(metrics)) {
    const number = typeof value === 'boolean' ? Number(value) : value
    if (METRIC_NAME.test(name) && isUsable(number)) numbers[name] = number
  }
  return numbers
}
