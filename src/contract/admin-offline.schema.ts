// What is issued for sites without a network, in the admin API: envelopes in zod.
import { z } from 'zod'
import { idOf, instant, pathId, shortText } from './admin-fields.schema.ts'
import { pageQuery } from './paging.schema.ts'
import { limitValues } from './rights.schema.ts'

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

export const issuedOfflineQuery = z.strictObject({ ...pageQuery })
export const envelopePath = z.object({ id: pathId('lic'), envelope: pathId('env') })

export type NewEnvelope = z.infer<typeof newEnvelope>
export type EnvelopeAnswer = z.infer<typeof envelopeAnswer>
export type IssuedOfflineQuery = z.infer<typeof issuedOfflineQuery>
