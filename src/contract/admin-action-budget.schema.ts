// The action budget of the admin API in zod.
import { z } from 'zod'
import { idOf, reason } from './admin-fields.schema.ts'

const moment = (description: string) =>
  z.string().nullable().meta({ description, example: '2027-01-01T13:00:00Z' })
const used = z.int().meta({ description: 'Within the last hour.', example: 3 })
const resetsAt = moment('When one more fits; null when it does now.')
const liftedUntil = moment('Until then nothing is refused or counted; null when it is not lifted.')

export const budgetAnswer = z
  .object({
    per_key: z.int().nullable().meta({ description: 'An hour and admin key; null: off.', example: 20 }),
    in_all: z.int().nullable().meta({ description: 'An hour, all admin keys together.', example: 100 }),
    used,
    resets_at: resetsAt,
    lifted_until: liftedUntil,
    keys: z
      .array(z.object({ admin_key_id: idOf('adm'), used, resets_at: resetsAt, lifted_until: liftedUntil }))
      .meta({ description: 'Those that spent within the last hour, or for which it is lifted.' }),
  })
  .meta({ id: 'ActionBudget' })

export const budgetLift = z
  .strictObject({
    admin_key_id: idOf('adm').optional().meta({ description: 'Whose budget is lifted.' }),
    all: z.literal(true).optional().meta({ description: 'Instead of `admin_key_id`: for everybody.' }),
    reason,
  })
  .refine(({ admin_key_id, all }) => (admin_key_id === undefined) !== (all === undefined), {
    error: 'name either admin_key_id or all',
  })
  .meta({ id: 'BudgetLift', example: { all: true, reason: 'fraud ring 4711 is being shut off' } })

export type BudgetAnswer = z.infer<typeof budgetAnswer>
export type BudgetLift = z.infer<typeof budgetLift>
