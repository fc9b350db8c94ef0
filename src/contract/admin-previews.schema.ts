// What a taking action would do, in zod: the answer of every route that takes, with `?dry_run=true`.
import { z } from 'zod'
import { idOf, queryFlag } from './admin-fields.schema.ts'

/** Query of a route that can be tried without effect. */
export const dryRunQuery = z.strictObject({
  dry_run: queryFlag.optional().meta({
    description: 'True: says which instances lose what and when, and changes nothing.',
  }),
})

const limitChange = z.object({
  limit: z.string(),
  before: z.int().meta({ description: '-1 is unlimited.' }),
  after: z.int().nullable().meta({ description: 'Null: no longer granted.' }),
})

const effect = z.object({
  id: idOf('ins'),
  instance_id: z.string(),
  product: z.string(),
  loses: z.object({
    tier: z
      .object({ before: z.string().nullable(), after: z.string().nullable() })
      .meta({ description: 'Null while killed: nothing is granted.' }),
    features: z.array(z.string()),
    limits: z.array(limitChange).meta({ description: 'Those that become lower.' }),
  }),
  taken_by: z.enum(['directive', 'validate', 'expiry', 'nothing']).meta({
    description:
      '`directive`: a signed word at the next heartbeat or refresh. `validate`: clients that validate with the ' +
      'credential are refused, those that refresh a license JWT go on. `expiry`: nothing new is issued, and what is ' +
      'in force runs out; of an API key without end_sessions only for clients that exchange it again. `nothing`: it ' +
      'loses nothing.',
  }),
  next_heartbeat_by: z.string().meta({ description: 'When it is due to report; past where it is overdue.' }),
  lease_ends_at: z.string().nullable().meta({ description: 'Unreached, it runs in full until then.' }),
  grace_ends_at: z
    .string()
    .nullable()
    .meta({ description: 'Unreached, it loses everything at the latest then; null without a lease.' }),
})

export const takingPreview = z
  .object({
    dry_run: z.literal(true),
    changes: z.boolean().meta({ description: 'False where it is so already.' }),
    matched: z.int().meta({
      description:
        'How many instances it concerns. For a license exact up to 500 and above that what a job counted within the ' +
        'last minute; for anything else exact up to 2,000, and 2,001 where it is more.',
    }),
    instances: z.array(effect).meta({ description: 'The newest 50 of them.' }),
  })
  .meta({
    id: 'TakingPreview',
    example: {
      dry_run: true,
      changes: true,
      matched: 1,
      instances: [
        {
          id: 'ins_11186cb5bd6d8c39b7bc6681b82d904f',
          instance_id: 'test-001',
          product: 'keldris',
          loses: {
            tier: { before: 'pro', after: 'free' },
            features: ['oidc', 'audit_logs'],
            limits: [{ limit: 'max_agents', before: 100, after: 3 }],
          },
          taken_by: 'directive',
          next_heartbeat_by: '2026-11-22T15:30:00Z',
          lease_ends_at: '2026-11-23T09:30:00Z',
          grace_ends_at: '2026-12-23T09:30:00Z',
        },
      ],
    },
  })

export type TakingPreview = z.infer<typeof takingPreview>
