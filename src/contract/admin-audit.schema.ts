// The audit log and the events of the admin API in zod.
import { z } from 'zod'
import { instant, queryText } from './admin-fields.schema.ts'
import { pageQuery } from './paging.schema.ts'

export const auditQuery = z.strictObject({
  ...pageQuery,
  actor: queryText(128).optional().meta({ description: 'Exactly this actor, such as adm_….' }),
  subject: queryText(128).optional().meta({ description: 'Exactly this subject, such as lic_….' }),
  action: queryText(128).optional().meta({ example: 'license.suspend' }),
  from: instant.optional().meta({ description: 'RFC 3339, included.' }),
  to: instant.optional().meta({ description: 'RFC 3339, not included.' }),
})

export const auditEntry = z
  .object({
    id: z.string().meta({ example: 'aud_019b76daa80070008000000000000005' }),
    at: z.string(),
    actor_kind: z
      .string()
      .meta({ description: '`admin`, `relay`, or `system` for a command on the server or a job.' }),
    actor: z.string(),
    action: z.string(),
    subject: z.string(),
    reason: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    request_id: z.string(),
  })
  .meta({ id: 'AuditEntry' })

export const eventQuery = z.strictObject({
  limit: pageQuery.limit,
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: 'Number of the last event seen; those after it follow.' }),
})

export const eventAnswer = z
  .object({
    number: z.int().meta({ description: 'Rises in the order in which the changes were committed.' }),
    at: z.string(),
    type: z.string().meta({ example: 'license.changed' }),
    subject: z.string().meta({ description: 'Public id of what changed.' }),
    product_id: z.string().nullable(),
    license_id: z.string().nullable(),
    instance: z.string().nullable().meta({ description: 'ins_…' }),
  })
  .meta({ id: 'Event' })

export type AuditQuery = z.infer<typeof auditQuery>
export type AuditEntry = z.infer<typeof auditEntry>
export type EventQuery = z.infer<typeof eventQuery>
export type EventAnswer = z.infer<typeof eventAnswer>
