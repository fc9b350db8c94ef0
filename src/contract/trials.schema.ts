// Trials in zod: public messages, tolerant of unknown members.
import { z } from 'zod'

const code = z.string().min(1).max(64)
const email = z.string().max(320).trim().pipe(z.email().max(254)).meta({ example: 'ada@example.com' })
const name = z.string().trim().min(1).max(200)

export const trialRequest = z
  .object({
    product: code.meta({ example: 'keldris' }),
    email,
    tier: code.meta({ example: 'pro' }),
    name: name.optional(),
    company: name.optional(),
  })
  .meta({ id: 'TrialRequest' })

export const trialAnswer = z
  .object({
    license_key: z.string().meta({ description: 'Shown once.' }),
    tier: z.string(),
    expires_at: z.string(),
    trial_duration_days: z.int(),
  })
  .meta({ id: 'TrialAnswer' })

export const trialQuery = z.object({
  product: code.meta({ example: 'keldris' }),
  email: email.optional().meta({
    description: 'Held against its form only: the answer is the same for every address.',
  }),
  tier: code.optional(),
})

export const trialOffer = z
  .object({
    eligible: z.boolean().meta({
      description: 'Whether a trial is offered. Whether this address had its one is said by the start alone.',
    }),
    has_trial: z.literal(false).meta({
      description: 'What Keldris reads. Never true: whether an address had its trial is not told here.',
    }),
    reason: z.literal('trial_not_offered').optional(),
    trial_duration_days: z
      .int()
      .nullable()
      .meta({ description: 'Of the tier asked for, else of the lowest one that offers a trial.' }),
    tiers: z
      .array(z.object({ tier: z.string(), name: z.string(), trial_duration_days: z.int() }))
      .meta({ description: 'Those that offer a trial, lowest first.' }),
  })
  .meta({ id: 'TrialOffer' })

export type TrialRequest = z.infer<typeof trialRequest>
export type TrialAnswer = z.infer<typeof trialAnswer>
export type TrialQuery = z.infer<typeof trialQuery>
export type TrialOffer = z.infer<typeof trialOffer>
