// Instances of the admin API in zod.
import { z } from 'zod'
import { idOf, instant, pathId, queryFlag, queryText, reason } from './admin-fields.schema.ts'
import { PROOFS, SEAT_ENDED_BY } from './catalog.ts'
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

const seat = z
  .object({
    license_id: idOf('lic'),
    held: z.boolean().meta({ description: 'Not ended, and its last lease, grace included, still runs.' }),
    activated_at: z.string(),
    lease_ends_at: z.string().meta({ description: 'End of its last lease, grace included.' }),
    ended_at: z.string().nullable(),
    ended_by: z.enum(SEAT_ENDED_BY).nullable(),
    tombstone: z.boolean().meta({
      description: 'An admin ended it: a validate does not take it again, until an admin lifts this.',
    }),
  })
  .meta({
    id: 'Seat',
    example: {
      license_id: 'lic_019b76daa80070008000000000000001',
      held: false,
      activated_at: '2026-11-01T08:00:00Z',
      lease_ends_at: '2026-12-22T08:00:00Z',
      ended_at: '2026-11-22T09:30:00Z',
      ended_by: 'admin',
      tombstone: true,
    },
  })

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
    seats: z.array(seat).meta({ description: 'Those it holds, and those it held; newest first.' }),
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

const filterMembers = {
  product: catalogCode.optional(),
  license: idOf('lic').optional().meta({ description: 'Instances that hold a seat of it.' }),
  tier: catalogCode.optional().meta({ description: 'Granted now; killed instances have none.' }),
  version: queryText(100).optional().meta({ description: 'As reported, letter by letter.' }),
  action: z.enum(ACTIONS).optional(),
  instance_id: queryText(255).optional().meta({ description: 'The whole instance id, letter by letter.' }),
  text: queryText(255).optional().meta({ description: 'Part of the instance id or of the host name.' }),
  proof: z.enum(PROOFS).optional().meta({ description: 'How what it last said was proven.' }),
  last_seen_after: instant.optional().meta({ description: 'Heard at this time or later.' }),
  last_seen_before: instant.optional().meta({ description: 'Not heard since before this time.' }),
}

export const instanceQuery = z.strictObject({
  ...pageQuery,
  ...filterMembers,
  stale: queryFlag.optional(),
  verified: queryFlag.optional(),
})

export const bulkActionOrder = z
  .strictObject({
    filter: z
      .strictObject({ ...filterMembers, stale: z.boolean().optional(), verified: z.boolean().optional() })
      .refine((filter) => Object.keys(filter).length > 0, { error: 'holds no filter' })
      .meta({ description: 'As of the list; every member given must hold.' }),
    action: z.enum(ACTIONS),
    reason: reason.optional().meta({ description: 'Told to the instances.' }),
    expect: z.int().nonnegative().optional().meta({
      description: 'How many instances match, as `?dry_run=true` says; not needed for that.',
    }),
  })
  .meta({
    id: 'BulkActionOrder',
    example: {
      filter: { product: 'keldris', version: '1.0.3', verified: false },
      action: 'downgrade',
      reason: 'leaked build',
      expect: 12,
    },
  })

export const bulkActionAnswer = z
  .object({
    matched: z.int(),
    changed: z.int().meta({ description: 'Those that had another action or reason.' }),
    instances: z.array(
      z.object({ id: idOf('ins'), instance_id: z.string(), product: z.string(), seq: z.int() }),
    ),
  })
  .meta({
    id: 'BulkAction',
    example: {
      matched: 1,
      changed: 1,
      instances: [
        {
          id: 'ins_11186cb5bd6d8c39b7bc6681b82d904f',
          instance_id: 'test-001',
          product: 'keldris',
          seq: 1795312029428,
        },
      ],
    },
  })

export const deletionQuery = z.strictObject({
  confirm: z.literal('killed').optional().meta({
    description: 'Needed for a killed instance: deleted, it may come back without the kill.',
  }),
})

export const instancePath = z.object({ id: pathId('ins') })
export const seatPath = z.object({ id: pathId('ins'), license_id: pathId('lic') })

export type ActionOrder = z.infer<typeof actionOrder>
export type InstanceAnswer = z.infer<typeof instanceAnswer>
export type InstanceQuery = z.infer<typeof instanceQuery>
export type InstanceFilter = z.infer<typeof bulkActionOrder>['filter']
export type BulkActionOrder = z.infer<typeof bulkActionOrder>
export type BulkActionAnswer = z.infer<typeof bulkActionAnswer>
