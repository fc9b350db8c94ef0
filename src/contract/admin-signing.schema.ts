// Signing keys and key sets of the admin API in zod. No private key ever stands in any of it.
import { z } from 'zod'
import { keySetClaims, keySetKey } from './claims.schema.ts'
import { KEY_STATUSES, KEY_USES } from './claims.ts'
import { pageQuery } from './paging.schema.ts'
import { catalogCode } from './rights.schema.ts'

const ACTIVATE_IN = 300
const MOST_ACTIVATE_IN = 31_536_000

const use = z.enum(KEY_USES).meta({
  description:
    '`jws` signs license JWTs and directives, `raw` license keys, envelopes and entitlement tokens (T4).',
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
