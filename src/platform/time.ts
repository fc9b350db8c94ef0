// Arithmetic on times. Pure: reads no clock, knows no time zone but UTC.

export const SECOND_SECONDS = 1
export const MINUTE_SECONDS = 60
export const HOUR_SECONDS = 3_600
export const DAY_SECONDS = 86_400

/** Whole seconds since 1970, rounded down: the NumericDate of RFC 7519. */
export function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}

/** The instant `n` seconds after 1970. */
export function fromUnixSeconds(n: number): Date {
  return new Date(n * 1000)
}

/** Unix milliseconds, as the database's clock counts them. */
export function fromUnixMilliseconds(n: number): Date {
  return new Date(n)
}

/** `date` moved by `s` seconds, which may be negative or a fraction. */
export function addSeconds(date: Date, s: number): Date {
  return new Date(date.getTime() + s * 1000)
}

/** `date` moved by `d` days of 86 400 s, as grace periods are counted (T6). */
export function addDays(date: Date, d: number): Date {
  return addSeconds(date, d * DAY_SECONDS)
}

/** RFC 3339 in UTC, with milliseconds only where there are any. Throws a RangeError for an invalid date. */
export function rfc3339(date: Date): string {
  return date.toISOString().replace('.000Z', 'Z')
}

/** The instant of an RFC 3339 text; an invalid Date for any other. */
export function parseRfc3339(text: string): Date {
  return new Date(text)
}
