// What the doctor says of one thing it looked at. Knows no check.

export type Health = 'ok' | 'warning' | 'problem' | 'unknown'

export interface Finding {
  /** What was looked at, in one or two words. */
  check: string
  health: Health
  detail: string
  /** What to do; null where nothing is to be done. */
  fix: string | null
}

export const ok = (check: string, detail: string): Finding => ({ check, health: 'ok', detail, fix: null })

/** Goes on working, and will not for ever. */
export const warning = (check: string, detail: string, fix: string): Finding => ({
  check,
  health: 'warning',
  detail,
  fix,
})

export const problem = (check: string, detail: string, fix: string): Finding => ({
  check,
  health: 'problem',
  detail,
  fix,
})

/** Could not be looked at, for a reason that stands elsewhere. */
export const unknown = (check: string, detail: string): Finding => ({
  check,
  health: 'unknown',
  detail,
  fix: null,
})

/** `3 keys`, `1 key`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
