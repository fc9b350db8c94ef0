// Admin keys of the admin API in zod.
import { z } from 'zod'
import { changesSomething, instant, shortText } from './admin-fields.schema.ts'
import { ROLES } from './catalog.ts'
import { pageQuery } from './paging.schema.ts'

const role = z.enum(ROLES).meta({
  description:
    '`owner` writes everything, `operator` customers, licenses, keys, instances and anomalies, `support` reads ' +
    'and resolves anomalies, `auditor` reads.',
})

export const newAdminKey = z
  .strictObject({
    name: shortText(200).meta({ example: 'Ada, laptop' }),
    role,
    expires_at: instant
      .nullable()
      .default(null)
      .meta({ description: 'RFC 3339, in the future; null never expires.' }),
  })
  .meta({ id: 'NewAdminKey' })

export const adminKeyChange = z
  .strictObject({
    name: shortText(200).meta({ example: 'Ada, laptop' }),
    role,
    expires_at: instant.nullable().meta({ description: 'RFC 3339, in the future; null never expires.' }),
  })
  .partial()
  .refine((change) => changesSomething(change), { error: 'name at least one member' })
  .meta({ id: 'AdminKeyChange' })

export const adminKeyAnswer = z
  .object({
    id: z.string().meta({ example: 'adm_019b76daa80070008000000000000003' }),
    name: z.string(),
    role,
    status: z.enum(['active', 'expired', 'revoked']),
    prefix: z.string().meta({ description: 'How the key begins.', example: 'lak_3fZ9kQ2x' }),
    created_at: z.string(),
    expires_at: z.string().nullable(),
    revoked_at: z.string().nullable(),
  })
  .meta({ id: 'AdminKey' })

export const createdAdminKey = adminKeyAnswer
  .extend({ admin_key: z.string().meta({ description: 'The key itself. Shown this once.' }) })
  .meta({ id: 'CreatedAdminKey' })

export const adminKeyQuery = z.strictObject(pageQuery)

export type NewAdminKey = z.infer<typeof newAdminKey>
export type AdminKeyChange = z.infer<typeof adminKeyChange>
export type AdminKeyAnswer = z.infer<typeof adminKeyAnswer>
