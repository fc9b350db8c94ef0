// The figures of the fleet and its licenses in zod.
import { z } from 'zod'
import { EXPIRY_DAYS, LAST_SEEN, LICENSE_STATES, SEAT_STATES } from './admin-stats.ts'
import { PROOFS } from './catalog.ts'
import { ACTIONS } from './claims.ts'
import { catalogCode } from './rights.schema.ts'

export const statsQuery = z.strictObject({
  product: catalogCode.optional().meta({ description: 'One product; all of them without it.' }),
})

const counts = {
  count: z.int(),
  verified: z.int().meta({ description: 'Of these, those whose last report was proven (T11).' }),
}
const byText = z
  .array(z.object({ value: z.string().nullable(), ...counts }))
  .meta({ description: 'Most frequent first; null where none was told. Beyond 100 values they are `other`.' })
const byName = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.array(z.object({ value: z.enum(names), ...counts }))

export const statsAnswer = z
  .object({
    product: z.string().nullable(),
    at: z.string(),
    instances: z
      .object({
        total: z.int(),
        verified: z.int(),
        deactivated: z.int().meta({ description: 'Not counted anywhere else.' }),
        by_version: byText,
        by_tier: byText.meta({ description: 'What the server grants; null for killed ones.' }),
        by_os: byText,
        by_last_seen: byName(LAST_SEEN).meta({
          description: 'By the age of the last report; each counts once.',
        }),
        by_license_state: byName(SEAT_STATES).meta({
          description: 'State of the best license that the instance holds a seat of.',
        }),
        by_proof: byName(PROOFS),
      })
      .meta({ description: 'Instances that did not say goodbye.' }),
    actions: z
      .array(
        z.object({
          action: z.enum(ACTIONS),
          set: z.int(),
          outstanding: z.int().meta({
            description: 'Not acknowledged yet. Clients that know no directives never acknowledge.',
          }),
        }),
      )
      .meta({ description: 'Instances with an action; `none` is one that was cleared.' }),
    licenses: z.object({
      total: z.int(),
      trials: z.int(),
      perpetual: z.int(),
      by_state: z.array(z.object({ value: z.enum(LICENSE_STATES), count: z.int() })),
      expiring: z
        .array(z.object({ within_days: z.literal(EXPIRY_DAYS), count: z.int(), href: z.string() }))
        .meta({
          description: 'Active licenses whose own end comes within so many days; the link lists them.',
        }),
    }),
  })
  .meta({ id: 'Stats' })

export type StatsQuery = z.infer<typeof statsQuery>
export type StatsAnswer = z.infer<typeof statsAnswer>
