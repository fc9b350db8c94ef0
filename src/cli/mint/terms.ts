// What one envelope is to say, as options or a row of a list give it in words. Signs nothing.
import { randomUUID } from 'node:crypto'
import { ENVELOPE_UNLIMITED, type EnvelopePayload } from '../../contract/claims.ts'

/** The names under which a term is given: columns of a list; options with `-` for `_`. */
export const TERM_NAMES = [
  'tenant',
  'expires',
  'label',
  'grace_days',
  'features',
  'tier',
  'license_id',
  'instance',
] as const
export type TermName = (typeof TERM_NAMES)[number]

export type GivenTerms = Partial<Record<TermName, string>> & {
  /** By its name in the license: `max_…`. */
  limits: Readonly<Record<string, string>>
}

/** A term that cannot be meant. */
export class TermError extends Error {
  override readonly name = 'TermError'
  /** As in `TERM_NAMES`, or a limit's name. */
  readonly term: string

  constructor(term: string, message: string) {
    super(message)
    this.term = term
  }
}

export const LIMIT_COLUMN = /^max_[a-z0-9]+(_[a-z0-9]+)*$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const MOST_GRACE_DAYS = 36_500

/** The payload of an envelope issued at `now`, unix seconds. @throws TermError */
export function envelopeOf(given: GivenTerms, now: number): EnvelopePayload {
  const payload: EnvelopePayload = {
    tenantId: words('tenant', needed('tenant', given.tenant), 255),
    exp: midnight(needed('expires', given.expires)),
    gracePeriodDays: wholeNumber('grace_days', given.grace_days ?? '0', MOST_GRACE_DAYS),
    iat: now,
    licenseId: uuid(given.license_id),
    limits: Object.fromEntries(
      Object.entries(given.limits).map(([name, value]) => [name, limit(name, value)]),
    ),
  }
  if (given.label) payload.label = words('label', given.label, 2048)
  if (given.tier) payload.tier = words('tier', given.tier, 255)
  if (given.instance) payload.instanceId = words('instance', given.instance, 255)
  const features = (given.features ?? '').split(',').map((name) => name.trim())
  const named = features.filter((name) => name !== '').map((name) => words('features', name, 255))
  if (named.length > 0) payload.features = [...new Set(named)]
  return payload
}

function needed(term: TermName, value: string | undefined): string {
  if (value !== undefined && value.trim() !== '') return value.trim()
  throw new TermError(term, 'is missing')
}

function words(term: TermName, value: string, most: number): string {
  if (value.length <= most && value.trim() !== '' && !value.includes('\0') && value.isWellFormed())
    return value
  throw new TermError(term, `must be 1 to ${most} characters`)
}

/** Unix seconds of that day's first second in UTC. */
function midnight(day: string): number {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(day) ? new Date(`${day}T00:00:00Z`) : null
  // The platform takes 30 February for 2 March.
  if (time && !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day) && time.getTime() > 0) {
    return time.getTime() / 1000
  }
  throw new TermError('expires', 'must be a day as YYYY-MM-DD')
}

function wholeNumber(term: string, value: string, most: number): number {
  const number = /^\d{1,10}$/.test(value.trim()) ? Number(value) : Number.NaN
  if (number <= most) return number
  throw new TermError(term, `must be a whole number from 0 to ${most}`)
}

function limit(name: string, value: string): number {
  if (!LIMIT_COLUMN.test(name) || name.length > 64) {
    throw new TermError(name, 'is no name of a limit: small letters, digits and single underscores')
  }
  return value.trim() === 'unlimited' ? ENVELOPE_UNLIMITED : wholeNumber(name, value, ENVELOPE_UNLIMITED)
}

function uuid(given: string | undefined): string {
  if (!given) return randomUUID()
  if (UUID.test(given.trim())) return given.trim().toLowerCase()
  throw new TermError('license_id', 'must be a UUID')
}
