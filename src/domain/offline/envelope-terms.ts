// What an envelope of a license says: never more than the license gives, and never longer (T6). Pure.
import { UNLIMITED } from '../../contract/catalog.ts'
import { ENVELOPE_UNLIMITED, type LimitValues } from '../../contract/claims.ts'
import { exceeds } from '../../license/limits.ts'
import { parseRfc3339, rfc3339 } from '../../platform/time.ts'
import { Refusal } from '../kernel/context.ts'

const invalid = (pointer: string, message: string, fix: string) =>
  new Refusal('invalid_request', `The envelope cannot be signed: ${pointer.slice(1)} ${message}.`, {
    facts: { errors: [{ pointer, message }] },
    fix,
  })

/** The end of the envelope; null is perpetual. @throws Refusal `invalid_request` */
export function envelopeEnd(wanted: string | undefined, licenseEnd: Date | null, now: Date): Date | null {
  if (wanted === undefined) return licenseEnd
  const end = parseRfc3339(wanted)
  if (licenseEnd !== null && end > licenseEnd) {
    throw invalid(
      '/expires_at',
      `is after the end of the license, ${rfc3339(licenseEnd)}`,
      'Name an earlier time, or renew the license first.',
    )
  }
  if (end <= now)
    throw invalid('/expires_at', 'is in the past', 'Name a later time, or leave expires_at out.')
  return end
}

/** The limits of the license, with the given ones in their place. @throws Refusal `invalid_request` */
export function envelopeLimits(own: Readonly<LimitValues>, given: Readonly<LimitValues> = {}): LimitValues {
  for (const [name, limit] of Object.entries(given)) {
    const most = Object.hasOwn(own, name) ? own[name] : undefined
    if (most === undefined) {
      throw invalid(
        `/limits/${name}`,
        'is no limit of the license',
        'Set it on the license or its tier first.',
      )
    }
    if (exceeds(most, limit === UNLIMITED ? Number.POSITIVE_INFINITY : limit)) {
      throw invalid(
        `/limits/${name}`,
        `is more than the license allows, ${most}`,
        'Name a smaller number, or raise the limit of the license first.',
      )
    }
  }
  return Object.fromEntries(
    Object.entries({ ...own, ...given }).map(([name, limit]) => [name, onEnvelope(name, limit)]),
  )
}

/** −1 would refuse everything, and readers with 32 bits would take a larger number for something else. */
function onEnvelope(name: string, limit: number): number {
  if (limit === UNLIMITED) return ENVELOPE_UNLIMITED
  if (limit < ENVELOPE_UNLIMITED) return limit
  throw invalid(
    `/limits/${name}`,
    `is larger than an envelope can say, ${limit}`,
    `Give a limit below ${ENVELOPE_UNLIMITED} in limits, or make it unlimited on the license.`,
  )
}
