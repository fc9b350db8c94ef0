// Anomalies of the admin API in zod.
import { z } from 'zod'
import { idOf, pathId, queryFlag, shortText } from './admin-fields.schema.ts'
import { ANOMALY_SEVERITIES, ANOMALY_TYPES } from './anomalies.ts'
import { PROOFS } from './catalog.ts'
import { pageQuery } from './paging.schema.ts'
import { catalogCode } from './rights.schema.ts'

export const ANOMALY_STATES = ['open', 'resolved', 'all'] as const

export const resolution = z
  .strictObject({ note: shortText(2000).optional().meta({ example: 'test machine' }) })
  .meta({ id: 'Resolution' })

export const reopening = z
  .strictObject({ note: shortText(2000).optional().meta({ example: 'seen on two hosts after all' }) })
  .meta({ id: 'Reopening' })

export const anomalyAnswer = z
  .object({
    id: idOf('ano'),
    instance: z
      .object({ id: idOf('ins'), instance_id: z.string().nullable() })
      .nullable()
      .meta({ description: 'Null where it is about a relay, or about the whole fleet of the product.' }),
    relay: z.object({ id: idOf('rly'), name: z.string() }).nullable(),
    product: z.string(),
    type: z.enum(ANOMALY_TYPES),
    severity: z.enum(ANOMALY_SEVERITIES),
    count: z.int().meta({ description: 'Sightings since it was opened.' }),
    first_seen_at: z.string(),
    last_seen_at: z.string(),
    evidence: z.record(z.string(), z.unknown()),
    proof: z.enum(PROOFS),
    verified: z.boolean().meta({ description: 'Whether the report that showed it was proven.' }),
    resolved_at: z.string().nullable(),
    resolved_by: z.string().nullable(),
    note: z.string().nullable(),
  })
  .meta({ id: 'Anomaly' })

export const anomalyQuery = z.strictObject({
  ...pageQuery,
  type: z.enum(ANOMALY_TYPES).optional(),
  severity: z.enum(ANOMALY_SEVERITIES).optional(),
  product: catalogCode.optional(),
  instance: idOf('ins').optional(),
  relay: idOf('rly').optional(),
  verified: queryFlag.optional().meta({ description: 'Whether the report that showed it was proven.' }),
  state: z.enum(ANOMALY_STATES).default('open'),
})

export const anomalyPath = z.object({ id: pathId('ano') })

export type AnomalyAnswer = z.infer<typeof anomalyAnswer>
export type AnomalyQuery = z.infer<typeof anomalyQuery>
