// Takes secrets out of log fields: by name at any depth, and by form in any text. Pure; does no logging itself.

const REDACTED = '[redacted]'
const MAX_DEPTH = 12
const LONGEST_TEXT = 4096

const SECRET_NAME =
  /authorization|token|jwt|secret|passw(or)?d|passphrase|private|cookie|pepper|(api|license|admin|relay|master|root)key|databaseurl/
// Public names of secrets: what they are called or how they begin, never what they are.
const PUBLIC_SUFFIX = /(_id|Id|_prefix|Prefix|_kind|Kind)$/

const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(?:sk-|lit_|lrk_|lak_|lre_)[0-9A-Za-z]{16,}/g, REDACTED],
  // JWTs, license keys, entitlement tokens and envelopes: base64 of `{"`, then one or two more parts.
  [/\beyJ[A-Za-z0-9_+/=-]+(?:\.[A-Za-z0-9_+/=-]+){1,2}/g, REDACTED],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, `$1${REDACTED}@`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, `$1 ${REDACTED}`],
]

/** What each of the patterns above needs to find anything. */
const MAY_HOLD_SECRET = /sk-|l(?:it|rk|ak|re)_|eyJ|-----BEGIN|:\/\/|bearer|basic/i

/** A copy that is safe to log, made of plain JSON values. Never throws for cycles, errors, bytes or bad dates. */
export function redact(fields: object): Record<string, unknown> {
  return membersOf(fields, [fields])
}

/** The text, at most 4096 characters of it, without anything that has the form of a credential, a signed token or a URL's password. */
export function redactText(text: string): string {
  if (text.length <= LONGEST_TEXT && !MAY_HOLD_SECRET.test(text)) return text
  // Cut first: the patterns take quadratic time on texts made for it.
  const short = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
  return SECRET_TEXT.reduce((safe, [pattern, replacement]) => safe.replace(pattern, replacement), short)
}

function membersOf(fields: object, parents: readonly object[]): Record<string, unknown> {
  const safe = {}
  const source = fields as Record<string, unknown>
  for (const name of Object.keys(source)) addMember(safe, name, source[name], parents)
  return safe
}

function addMember(
  safe: Record<string, unknown>,
  name: string,
  value: unknown,
  parents: readonly object[],
): void {
  const { isSecret, shownAs } = judgeName(name)
  const shown = isSecret && hides(value) ? REDACTED : plain(value, parents)
  if (shown === undefined) return
  // An assignment would change the prototype.
  if (shownAs === '__proto__') Object.defineProperty(safe, shownAs, { value: shown, ...OWN })
  else safe[shownAs] = shown
}

const OWN = { configurable: true, enumerable: true, writable: true }

interface NameVerdict {
  isSecret: boolean
  shownAs: string
}

/** Most names are written in this code, and few. */
const verdicts = new Map<string, NameVerdict>()
const MOST_VERDICTS = 1000

function judgeName(name: string): NameVerdict {
  const known = verdicts.get(name)
  if (known) return known
  const isSecret =
    !PUBLIC_SUFFIX.test(name) && SECRET_NAME.test(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))
  const verdict = { isSecret, shownAs: redactText(name) }
  if (verdict.shownAs === name && verdicts.size < MOST_VERDICTS) verdicts.set(name, verdict)
  return verdict
}

/** Whether there is a token may be told, the token may not. */
function hides(value: unknown): boolean {
  return value !== undefined && value !== null && typeof value !== 'boolean'
}

function plain(value: unknown, parents: readonly object[]): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value)
    case 'bigint':
      return value.toString()
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'object':
      return value === null ? null : plainObject(value, parents)
    case 'function':
    case 'symbol':
      return undefined
    default:
      return value
  }
}

function plainObject(value: object, parents: readonly object[]): unknown {
  if (parents.includes(value)) return '[circular]'
  if (parents.length >= MAX_DEPTH) return '[too deep]'
  const inside = [...parents, value]
  if (value instanceof Error) return plainError(value, inside)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (value instanceof URL) return redactText(value.href)
  // Bytes in this code are keys and hashes more often than not.
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof Map) {
    const safe = {}
    for (const [name, member] of value) addMember(safe, String(name), member, inside)
    return safe
  }
  if (value instanceof Set || Array.isArray(value))
    return [...value].map((item) => plain(item, inside) ?? null)
  return membersOf(value, inside)
}

/**
 * Only known members: a database error carries SQL, parameters and row values in the others. Where an error has a
 * `query`, its message repeats it and is left out too; the cause tells what went wrong.
 */
function plainError(error: Error, parents: readonly object[]): Record<string, unknown> {
  const { code, constraint_name: constraint } = error as { code?: unknown; constraint_name?: unknown }
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const safe: Record<string, unknown> = {
    type: error.name,
    message: 'params' in error ? '[query failed]' : redactText(error.message),
  }
  if (typeof code === 'string' || typeof code === 'number') safe.code = code
  if (typeof constraint === 'string') safe.constraint = constraint
  if (frames.length > 0) safe.stack = redactText(frames.map((line) => line.trim()).join('\n'))
  if (error.cause !== undefined) safe.cause = plain(error.cause, parents)
  if (error instanceof AggregateError) safe.errors = plain(error.errors, parents)
  return safe
}
