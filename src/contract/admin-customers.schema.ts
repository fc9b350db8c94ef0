// Customers of the admin API in zod.
import { z } from 'zod'
import { changesSomething, metadata, queryText, shortText } from './admin-fields.schema.ts'
import { pageQuery } from './paging.schema.ts'

const name = shortText(200).meta({ example: 'Ada Lovelace' })
const company = z.string().trim().max(200).meta({ example: 'Analytical Engines Ltd' })
const email = z.email().max(254).nullable().meta({ example: 'ada@example.com' })

export const newCustomer = z
  .strictObject({
    name,
    company: company.default(''),
    email: email.default(null),
    metadata: metadata.default({}),
  })
  .meta({ id: 'NewCustomer' })

export const customerChange = z
  .strictObject({ name, company, email, metadata })
  .partial()
  .refine((change) => changesSomething(change), { error: 'holds no member to change' })
  .meta({ id: 'CustomerChange', description: 'Members given replace the whole value.' })

export const customerAnswer = z
  .object({
    id: z.string().meta({ example: 'cus_019b76daa80070008000000000000004' }),
    name: z.string(),
    company: z.string(),
    email: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: 'Customer' })

export const customerQuery = z.strictObject({
  ...pageQuery,
  q: queryText(200).optional().meta({ description: 'Text in name, company or email, whatever its case.' }),
})

export type NewCustomer = z.infer<typeof newCustomer>
export type CustomerChange = z.infer<typeof customerChange>
export type CustomerAnswer = z.infer<typeof customerAnswer>
