// Instances of the admin API in zod.
import { z } from 'zod'
import { idOf, pathId, queryFlag, queryText, reason } from './admin-fields.schema.ts'
import { PROOFS } from './catalog.ts'
import { ACTIONS } from './claims.ts'
import { pageQuery } from './paging.schema.ts'
import { catalogCode } from './rights.schema.ts'

export const actionOrder = z
  .strictObject({
    action: z.enum(ACTIONS).meta({
      description: 'Delivered with every heartbeat and refresh until it is set to none.',
      example: 'kill',
    }),
    reason: reason.optional().meta({ description: 'Told to the instance.' }),
  })
  .meta({ id: 'ActionOrder' })

export const instanceAnswer = z
  .object({
    id: idOf('ins'),
    instance_id: z.string(),
    product: z.string(),
    hostname: z.string().nullable(),
    version: z.string().nullable(),
    os: z.string().nullable(),
    arch: z.string().nullable(),
    fingerprint: z.string().nullable(),
    reported_tier: z.string().nullable(),
    tier: z.string().nullable().meta({
      description: 'What it is granted: the highest of its seats, else the lowest tier; null while killed.',
    }),
    licenses: z.array(idOf('lic')).meta({ description: 'Those under which it holds a seat.' }),
    has_valid_entitlement: z.boolean().nullable(),
    entitlement_mismatch_at: z.string().nullable().meta({
      description: 'When it last reported an entitlement token that was not the last one issued to it.',
    }),
    action: z.object({
      action: z.enum(ACTIONS),
      reason: z.string().nullable(),
      seq: z.int().meta({ description: 'Rises with each action.' }),
      set_at: z.string().nullable(),
      delivered_at: z.string().nullable(),
      acknowledged_at: z.string().nullable(),
    }),
    first_seen_at: z.string(),
    last_seen_at: z.string(),
    deactivated_at: z.string().nullable(),
    stale: z.boolean(),
    proof: z.enum(PROOFS),
    verified: z.boolean().meta({ description: 'Whether what it last said was proven.' }),
    metrics: z.record(z.string(), z.number()),
    feature_usage: z.array(z.string()),
    integrity_hash: z.string().nullable(),
  })
  .meta({ id: 'Instance' })

export const instanceQuery = z.strictObject({
  ...pageQuery,
  product: catalogCode.optional(),
  license: idOf('lic').optional().meta({ description: 'Instances that hold a seat of it.' }),
  action: z.enum(ACTIONS).optional(),
  instance_id: queryText(255).optional().meta({ description: 'The whole instance id, letter by letter.' }),
  text: queryText(255).optional().meta({ description: 'Part of the instance id or of the host name.' }),
  stale: queryFlag.optional(),
})

export const instancePath = z.object({ id: pathId('ins') })
export const seatPath = z.object({ id: pathId('ins'), license_id: pathId('lic') })

export type ActionOrder = z.infer<typeof actionOrder>
export type InstanceAnswer = z.infer<typeof instanceAnswer>
export type InstanceQuery = z.infer<typeof instanceQuery>
