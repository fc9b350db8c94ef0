// Signing keys and key sets of the admin API in zod. No private key ever stands in any of it.
import { z } from 'zod'
import { idOf } from './admin-fields.schema.ts'
import { keySetClaims, keySetKey } from './claims.schema.ts'
import { KEY_STATUSES, KEY_USES } from './claims.ts'
import { pageQuery } from './paging.schema.ts'
import { catalogCode } from './rights.schema.ts'

const ACTIVATE_IN = 300
const MOST_ACTIVATE_IN = 31_536_000

const use = z.enum(KEY_USES).meta({
  description:
    '`license` signs license JWTs; `control` directives, offline answers and allotments; `raw` license keys, envelopes and entitlement tokens (T4).',
})
const confirm = z.literal(true).optional().meta({
  description:
    'Needed for `raw` keys: clients pin their public half and stop accepting what a new one signs.',
})

export const keyRotation = z
  .strictObject({
    product: catalogCode.meta({ example: 'keldris' }),
    use,
    activate_in: z.int().min(0).max(MOST_ACTIVATE_IN).default(ACTIVATE_IN).meta({
      description: 'Seconds until the new key signs: time for clients to fetch it. 0 is at once.',
    }),
    confirm,
  })
  .meta({ id: 'KeyRotation' })

export const keyRevocation = z
  .strictObject({ reason: z.string().trim().min(1).max(255).optional(), confirm })
  .meta({ id: 'KeyRevocation' })

const signingKey = {
  kid: z.string(),
  product: z.string(),
  use,
  status: z.enum(KEY_STATUSES),
  public_key: z.string().meta({ description: '64 hex characters: the raw 32 bytes.' }),
  created_at: z.string(),
  not_before: z.string(),
  superseded_at: z.string().nullable(),
  retired_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
}
const keySetNumber = z.int().nullable().meta({
  description:
    'Number of the key set in force; null where the next one is to be signed with an offline root key.',
})

export const signingKeyAnswer = z.object(signingKey).meta({ id: 'SigningKey' })

export const rotationAnswer = z
  .object({ ...signingKey, replaces: z.string().meta({ description: 'kid' }), key_set: keySetNumber })
  .meta({ id: 'RotatedSigningKey' })

export const revocationAnswer = z
  .object({
    ...signingKey,
    active: z.string().meta({ description: 'kid of the key that signs now.' }),
    key_set: keySetNumber,
  })
  .meta({ id: 'RevokedSigningKey' })

const inUse = z.object({
  count: z.int(),
  since: z.string().nullable().meta({ description: 'When the oldest of them was issued.' }),
})

export const revocationPreview = z
  .object({
    dry_run: z.literal(true),
    ...signingKey,
    changes: z.boolean().meta({ description: 'False where it is revoked already.' }),
    takes_over: z.string().nullable().meta({
      description:
        'kid of the waiting key that would sign at once; null where a new one is made, or it does not sign.',
    }),
    stops_verifying: z.object({
      leases: inUse.meta({ description: 'Instances with a live lease of it.' }),
      static_jwts: inUse,
      license_keys: inUse.extend({ offline: z.int() }),
      entitlement_tokens: z.int().meta({ description: 'Instances whose token may be of it.' }),
      allotments: inUse.meta({ description: 'Relays may give out seats of them.' }),
      offline_answers: inUse.meta({ description: 'Sites without a network run on them.' }),
    }),
    instances: z
      .array(z.object({ id: idOf('ins'), instance_id: z.string(), lease_ends_at: z.string() }))
      .meta({ description: 'The first 50 of those instances.' }),
    not_counted: z.array(z.string()).meta({ description: 'What the server keeps no list of.' }),
  })
  .meta({
    id: 'KeyRevocationPreview',
    example: {
      dry_run: true,
      kid: 'q3Zk0c1uTn8',
      product: 'keldris',
      use: 'license',
      status: 'active',
      public_key: '9c3f0000000000000000000000000000000000000000000000000000000000ab',
      created_at: '2026-11-01T08:00:00Z',
      not_before: '2026-11-01T08:05:00Z',
      superseded_at: null,
      retired_at: null,
      revoked_at: null,
      changes: true,
      takes_over: null,
      stops_verifying: {
        leases: { count: 1, since: '2026-11-22T09:30:00Z' },
        static_jwts: { count: 0, since: null },
        license_keys: { count: 0, since: null, offline: 0 },
        entitlement_tokens: 0,
        allotments: { count: 0, since: null },
        offline_answers: { count: 0, since: null },
      },
      instances: [
        {
          id: 'ins_11186cb5bd6d8c39b7bc6681b82d904f',
          instance_id: 'test-001',
          lease_ends_at: '2026-12-23T09:30:00Z',
        },
      ],
      not_counted: [],
    },
  })

export const signingKeyQuery = z.strictObject({
  ...pageQuery,
  product: catalogCode.optional(),
  use: use.optional(),
})

export const keySetDraft = z
  .object({ ...keySetClaims.shape, keys: z.array(keySetKey.omit({ d: true }).meta({ id: 'KeySetKey' })) })
  .meta({ id: 'KeySetDraft' })

export const keySetImport = z
  .strictObject({ jws: z.string().min(1).max(65_536).meta({ description: 'What `keys sign-set` wrote.' }) })
  .meta({ id: 'KeySetImport' })

export const keySetAnswer = z
  .object({ number: z.int(), issued_at: z.string(), expires_at: z.string() })
  .meta({ id: 'KeySet' })

export type KeyRotation = z.infer<typeof keyRotation>
export type KeyRevocation = z.infer<typeof keyRevocation>
export type SigningKeyQuery = z.infer<typeof signingKeyQuery>
export type SigningKeyAnswer = z.infer<typeof signingKeyAnswer>
export type KeySetAnswer = z.infer<typeof keySetAnswer>
export type KeyRevocationPreview = z.infer<typeof revocationPreview>
