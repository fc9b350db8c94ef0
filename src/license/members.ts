// Reads the members of a payload: those that must, may and must not be there. Knows no object, checks no time.
import { LAST_SECOND, type LimitValues } from '../contract/claims.ts'
import { isJsonObject, type JsonObject } from './json.ts'
import { type Read, type Refused, refused } from './verified.ts'

export type Check<T> = (value: unknown) => value is T

type RequiredName<T> = { [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? never : K }[keyof T]

/** One check for each member of T, so that a member without a check does not compile. */
interface Members<T> {
  required: { [K in RequiredName<T>]: Check<T[K]> }
  optional: { [K in Exclude<keyof T, RequiredName<T>>]-?: Check<Exclude<T[K], undefined>> }
  forbidden: readonly string[]
}

export type Reader<T> = (payload: JsonObject) => Read<T> | Refused

/**
 * A reader of T: a copy of the known members in the order of the declaration, or `missing_member`, `bad_member`,
 * `forbidden_member` with its name. Unknown members are left out, so that an old reader meets a newer writer.
 */
export function memberReader<T>(members: Members<T>): Reader<T> {
  const required = Object.entries<Check<unknown>>(members.required)
  const optional = Object.entries<Check<unknown>>(members.optional)
  return (payload) => {
    for (const name of members.forbidden) {
      if (Object.hasOwn(payload, name)) return refused('forbidden_member', name)
    }
    const claims: Record<string, unknown> = {}
    for (const [name, check] of required) {
      if (!Object.hasOwn(payload, name)) return refused('missing_member', name)
      if (!check(payload[name])) return refused('bad_member', name)
      claims[name] = payload[name]
    }
    for (const [name, check] of optional) {
      if (!Object.hasOwn(payload, name)) continue
      if (!check(payload[name])) return refused('bad_member', name)
      claims[name] = payload[name]
    }
    return { ok: true, claims: claims as T }
  }
}

function textUpTo(max: number): Check<string> {
  return (value): value is string =>
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= max &&
    !value.includes('\0') &&
    value.isWellFormed()
}

/** Names and ids: 1 to 255 characters, without U+0000 and lone surrogates. */
export const text = textUpTo(255)
/** Issuers, addresses, people's words: 1 to 2048 characters. */
export const longText = textUpTo(2048)

export function textOrNull(value: unknown): value is string | null {
  return value === null || text(value)
}

/** Like `text`, and may be empty. */
export function textOrEmpty(value: unknown): value is string {
  return value === '' || text(value)
}

export function matching(pattern: RegExp): Check<string> {
  return (value): value is string => typeof value === 'string' && pattern.test(value)
}

export function oneOf<T extends string>(words: readonly T[]): Check<T> {
  return (value): value is T => (words as readonly unknown[]).includes(value)
}

export function flag(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

/** A whole number from 0 that JSON carries without loss. */
export function count(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** Unix seconds up to the year 9999. */
export function seconds(value: unknown): value is number {
  return count(value) && value <= LAST_SECOND
}

/** Days of grace: 0 to 36500. */
export function days(value: unknown): value is number {
  return count(value) && value <= 36_500
}

export function texts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(text)
}

export const LIMIT_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/

function limitValues(least: number): Check<LimitValues> {
  return (value): value is LimitValues =>
    isJsonObject(value) &&
    Object.entries(value).every(
      ([name, limit]) => LIMIT_NAME.test(name) && Number.isSafeInteger(limit) && Number(limit) >= least,
    )
}

/** The `limits` claim: −1 is unlimited. */
export const limits = limitValues(-1)
/** The `quotas` claim: unlimited is left out, so −1 is no quota. */
export const quotas = limitValues(0)
/** The limits of an envelope: any whole number, however little it allows. */
export const wholeNumbers = limitValues(Number.MIN_SAFE_INTEGER)
