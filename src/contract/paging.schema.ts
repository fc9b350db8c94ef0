// The query members of every list.
import { z } from 'zod'

export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .meta({ description: 'Entries on a page.', example: 50 }),
  after: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .meta({ description: 'Opaque; the `Link` header of the page before holds it.' }),
}
