// Members that several admin schemas share: ids, times, reasons, notes.
import { z } from 'zod'

const EARLIEST = Date.UTC(2000, 0, 1)
/** Leaves room for a grace period before the last year that RFC 3339 can write. */
const LATEST = Date.UTC(9900, 0, 1)
const MOST_METADATA = 16_384

const isStorable = (text: string) => !text.includes('\0') && text.isWellFormed()

/** A public id of one kind, such as `lic_…`. */
export const idOf = (prefix: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[0-9a-f]{32}$`))
    .meta({ example: `${prefix}_019b76daa80070008000000000000001` })

/** The `id` of a path: any text, because what is no id is simply not found. */
export const pathId = (prefix: string) =>
  z
    .string()
    .max(255)
    .meta({ description: `${prefix}_…`, example: `${prefix}_019b76daa80070008000000000000001` })

export const instant = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= EARLIEST && Date.parse(text) < LATEST, {
    error: 'not between the years 2000 and 9900',
  })
  .meta({ description: 'RFC 3339.', example: '2027-01-01T00:00:00Z' })

export const shortText = (max: number) => z.string().trim().min(1).max(max)

/** Text of a query: bodies are checked for U+0000 before any schema sees them, queries are not. */
export const queryText = (max: number) =>
  z.string().min(1).max(max).refine(isStorable, { error: 'U+0000 and lone surrogates are invalid' })

export const queryFlag = z.enum(['true', 'false']).transform((text) => text === 'true')

export const reason = shortText(255).meta({ example: 'invoice 4711 unpaid' })

export const metadata = z
  .record(z.string().min(1).max(100), z.unknown())
  .refine((value) => JSON.stringify(value).length <= MOST_METADATA, {
    error: `at most ${MOST_METADATA} characters`,
  })
  .meta({ description: 'Yours to use; never sent to instances.' })

export const expectedVersion = z
  .int()
  .min(1)
  .meta({ description: 'The `version` that this change was made for; 409 when the license has moved on.' })

/** Whether a change holds any of its members, apart from those that only accompany it. */
export const changesSomething = (change: object, companions: readonly string[] = []) =>
  Object.keys(change).some((name) => !companions.includes(name))
