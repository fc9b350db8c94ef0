// Customers of the admin API in zod.
import { z } from 'zod'
import { pageQuery } from './paging.schema.ts'

const MOST_METADATA = 50

const name = z.string().trim().min(1).max(200).meta({ example: 'Ada Lovelace' })
const company = z.string().trim().max(200).meta({ example: 'Analytical Engines Ltd' })
const email = z.email().max(254).nullable().meta({ example: 'ada@example.com' })

export const metadata = z
  .record(z.string().min(1).max(64), z.unknown())
  .refine((values) => Object.keys(values).length <= MOST_METADATA, {
    error: `at most ${MOST_METADATA} members`,
  })
  .meta({ description: 'Your own members; Leasehold reads nothing of them.', example: { crm_id: '4711' } })

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
  .refine((change) => Object.keys(change).length > 0, { error: 'holds no member to change' })
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
  q: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: 'Text in name, company or email, whatever its case.' }),
})

export type NewCustomer = z.infer<typeof newCustomer>
export type CustomerChange = z.infer<typeof customerChange>
export type CustomerAnswer = z.infer<typeof customerAnswer>
