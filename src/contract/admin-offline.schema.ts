// What is issued for sites without a network, in the admin API: envelopes and offline activations in zod.
import { z } from 'zod'
import { idOf, instant, pathId, shortText } from './admin-fields.schema.ts'
import type { ActivationRequest } from './offline-activation.ts'
import { pageQuery } from './paging.schema.ts'
import { catalogCode, limitValues } from './rights.schema.ts'

const instanceId = z.string().min(1).max(255)

export const newEnvelope = z
  .strictObject({
    expires_at: instant.optional().meta({
      description:
        "Not after the end of the license, which is taken where it is left out. The license's grace follows.",
      example: '2027-01-01T00:00:00Z',
    }),
    label: shortText(200).nullable().optional().meta({
      description: "Null is none; the license's where it is left out.",
      example: 'ACME prod',
    }),
    instance_id: instanceId.optional().meta({
      description: 'The one instance that may install it; else any instance of the tenant.',
      example: 'acme-plant-7',
    }),
    limits: limitValues.optional().meta({
      description: "In the place of the license's, by name: a share for one site of several, never more.",
      example: { max_agents: 40 },
    }),
  })
  .meta({ id: 'NewEnvelope', example: { expires_at: '2027-01-01T00:00:00Z', label: 'ACME prod' } })

const envelopeMembers = {
  id: idOf('env'),
  license_id: idOf('lic'),
  tenant_id: z.string(),
  label: z.string().nullable(),
  instance: z.string().nullable().meta({ description: 'ins_… of the instance that it is bound to.' }),
  kid: z.string().meta({ description: 'The key that signed it.' }),
  issued_at: z.string(),
  expires_at: z.string().nullable().meta({ description: 'Null is perpetual.' }),
  grace_ends_at: z.string().nullable(),
  issued_by: z.string().meta({ description: 'adm_… of the admin key.' }),
}

const envelopeExample = {
  id: 'env_019b76daa80070008000000000000001',
  license_id: 'lic_019b76daa80070008000000000000001',
  tenant_id: 'acme',
  label: 'ACME prod',
  instance: null,
  kid: 'D5knPfb5PAFQQ5QQJhRMpUkBaRBsr23bnrTGIQGZAk0',
  issued_at: '2026-11-22T09:30:00Z',
  expires_at: '2027-01-01T00:00:00Z',
  grace_ends_at: '2027-01-31T00:00:00Z',
  issued_by: 'adm_019b76daa80070008000000000000001',
}

export const envelopeAnswer = z.object(envelopeMembers).meta({ id: 'Envelope', example: envelopeExample })
export const issuedEnvelope = z
  .object({
    ...envelopeMembers,
    envelope: z.string().meta({ description: 'base64(payload).base64(signature); shown once.' }),
  })
  .meta({ id: 'IssuedEnvelope', example: { ...envelopeExample, envelope: 'eyJleHAiOjE4….…==' } })

const MOST_DAYS = 3650
const nonce = z
  .string()
  .regex(/^[A-Za-z0-9_-]{16,64}$/)
  .meta({ example: 'q1nW0d9Jm3Tt5hYbL7cKxA' })
const action = z.enum(['none', 'downgrade', 'kill'])

const requestMembers = {
  kind: z.literal('leasehold-activation-request'),
  version: z.literal(1),
  product: catalogCode.meta({ example: 'keldris' }),
  instance_id: instanceId.meta({ example: 'acme-plant-7' }),
  nonce,
  created_at: instant.meta({ description: "By the site's own clock." }),
  action: action.meta({ description: 'The last word that the site heard of itself.', example: 'none' }),
  action_seq: z.int().min(0).nullable().meta({ example: null }),
  license_key: z.string().min(1).max(65_536).exactOptional().meta({ example: 'eyJ….…' }),
  server_version: z.string().max(100).exactOptional(),
  hostname: z.string().max(255).exactOptional(),
  fingerprint: z.string().max(256).exactOptional(),
}

export const activationRequest = z
  .object(requestMembers)
  .meta({ id: 'ActivationRequest' }) satisfies z.ZodType<ActivationRequest>

export const newOfflineActivation = z
  .strictObject({
    ...requestMembers,
    // As `optional`: the document's generator takes an exact one for required.
    license_key: requestMembers.license_key.unwrap().optional(),
    server_version: requestMembers.server_version.unwrap().optional(),
    hostname: requestMembers.hostname.unwrap().optional(),
    fingerprint: requestMembers.fingerprint.unwrap().optional(),
    days: z.int().min(1).max(MOST_DAYS).optional().meta({
      description:
        'How long the lease runs; to the end of the license where it is left out, as far as the server allows.',
      example: 90,
    }),
  })
  .meta({
    id: 'NewOfflineActivation',
    description: 'The content of the request file, and how long the lease is to run.',
    example: {
      kind: 'leasehold-activation-request',
      version: 1,
      product: 'keldris',
      instance_id: 'acme-plant-7',
      nonce: 'q1nW0d9Jm3Tt5hYbL7cKxA',
      created_at: '2026-11-22T09:30:00Z',
      action: 'none',
      action_seq: null,
      days: 90,
    },
  })

const activationMembers = {
  id: idOf('ofa'),
  license_id: idOf('lic'),
  instance: idOf('ins'),
  action: z.enum(['none', 'downgrade']).meta({ description: 'What the answer says; it clears a kill.' }),
  told_action: action.meta({ description: 'What the site believed when it asked.' }),
  static_jwt: idOf('sjw').meta({ description: 'The license JWT in the answer.' }),
  issued_at: z.string(),
  expires_at: z.string().meta({ description: 'End of the lease.' }),
  seat_ends_at: z.string().meta({ description: 'End of its grace, when the seat is free again.' }),
  issued_by: z.string().meta({ description: 'adm_… of the admin key.' }),
}

const activationExample = {
  id: 'ofa_019b76daa80070008000000000000001',
  license_id: 'lic_019b76daa80070008000000000000001',
  instance: 'ins_019b76daa80070008000000000000001',
  action: 'none' as const,
  told_action: 'none' as const,
  static_jwt: 'sjw_019b76daa80070008000000000000001',
  issued_at: '2026-11-22T09:30:00Z',
  expires_at: '2027-02-20T09:30:00Z',
  seat_ends_at: '2027-03-22T09:30:00Z',
  issued_by: 'adm_019b76daa80070008000000000000001',
}

export const offlineActivationAnswer = z
  .object(activationMembers)
  .meta({ id: 'OfflineActivation', example: activationExample })

/** The whole of it is the answer file: the site reads the last members, people the others. */
export const issuedOfflineActivation = z
  .object({
    ...activationMembers,
    install_before: z.string().meta({ description: 'When the answer itself runs out.' }),
    kind: z.literal('leasehold-activation'),
    version: z.literal(1),
    activation: z.string().meta({ description: 'The offline answer, a compact JWS; shown once.' }),
    key_set: z.string().meta({ description: 'The root-signed key set that verifies it.' }),
  })
  .meta({
    id: 'IssuedOfflineActivation',
    example: {
      ...activationExample,
      install_before: '2026-12-22T09:30:00Z',
      kind: 'leasehold-activation',
      version: 1,
      activation: 'eyJ….…',
      key_set: 'eyJ….…',
    },
  })

export const issuedOfflineQuery = z.strictObject({ ...pageQuery })
export const envelopePath = z.object({ id: pathId('lic'), envelope: pathId('env') })

export const offlineActivationPath = z.object({ id: pathId('lic'), activation: pathId('ofa') })

export type NewEnvelope = z.infer<typeof newEnvelope>
export type EnvelopeAnswer = z.infer<typeof envelopeAnswer>
export type NewOfflineActivation = z.infer<typeof newOfflineActivation>
export type OfflineActivationAnswer = z.infer<typeof offlineActivationAnswer>
export type IssuedOfflineActivation = z.infer<typeof issuedOfflineActivation>
export type IssuedOfflineQuery = z.infer<typeof issuedOfflineQuery>
