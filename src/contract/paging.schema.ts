// The query members of every list: how many, and after which entry.
import { z } from 'zod'

export const PAGE_DEFAULT = 50
export const PAGE_MOST = 200

/** Spread into the query object of a list route. */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(PAGE_MOST)
    .default(PAGE_DEFAULT)
    .meta({ description: 'Entries on a page.' }),
  after: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .meta({ description: 'Opaque cursor out of the `next` link of the page before.' }),
}
