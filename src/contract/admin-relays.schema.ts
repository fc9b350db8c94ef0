// Relays of the admin API in zod.
import { z } from 'zod'
import { idOf, pathId, shortText } from './admin-fields.schema.ts'
import { pageQuery } from './paging.schema.ts'

const MOST_SEATS = 2_147_483_647
const name = shortText(200).meta({ example: 'Plant 2, rack 4' })

export const newRelay = z.strictObject({ customer_id: idOf('cus'), name }).meta({ id: 'NewRelay' })

export const relayChange = z.strictObject({ name }).meta({ id: 'RelayChange' })

export const relayShare = z
  .strictObject({
    seats: z
      .int()
      .min(0)
      .max(MOST_SEATS)
      .meta({ description: 'Seats of the license that the relay may have at most.', example: 10 }),
  })
  .meta({ id: 'RelayShare' })

export const relayAllotmentAnswer = z
  .object({
    license_id: idOf('lic'),
    product: z.string(),
    share: z.int().meta({ description: 'Seats that the relay may have at most.' }),
    seats: z.int().meta({ description: 'Of the newest allotment that was signed, 0 once it has ended.' }),
    expires_at: z.string().nullable(),
    counted_seats: z.int().meta({
      description: 'What counts on the license: also larger allotments that the relay may still go by.',
    }),
    live_leases: z.int().meta({ description: 'Seats given out, as the relay told.' }),
  })
  .meta({ id: 'RelayAllotment' })

export const relayAnswer = z
  .object({
    id: idOf('rly'),
    customer_id: idOf('cus'),
    name: z.string(),
    status: z.enum(['pending', 'enrolled', 'revoked']),
    key_prefix: z.string().nullable().meta({ description: 'How its key begins.', example: 'lrk_3fZ9kQ2x' }),
    public_key: z.string().nullable().meta({ description: "Its leases' Ed25519 key, base64url." }),
    version: z.string().nullable(),
    created_at: z.string(),
    enrolled_at: z.string().nullable(),
    enrolment_expires_at: z
      .string()
      .nullable()
      .meta({ description: 'End of the enrolment code that was not used yet.' }),
    last_seen_at: z.string().nullable(),
    revoked_at: z.string().nullable(),
    allotments: z.array(relayAllotmentAnswer),
  })
  .meta({ id: 'Relay' })

export const relayWithCode = relayAnswer
  .extend({ enrolment_code: z.string().meta({ description: 'lre_…, for 24 hours. Shown this once.' }) })
  .meta({ id: 'RelayWithCode' })

export const relayQuery = z.strictObject({ ...pageQuery, customer: idOf('cus').optional() })
export const relayPath = z.object({ id: pathId('rly') })
export const relayLicensePath = z.object({ id: pathId('rly'), license_id: pathId('lic') })
export const shareQuery = z.strictObject({
  end: z.enum(['true', 'false']).default('false').meta({
    description:
      '`true`: what was allotted counts no longer, at once. The relay may go by it until it ends: for one that is lost.',
  }),
})

export type NewRelay = z.infer<typeof newRelay>
export type RelayAnswer = z.infer<typeof relayAnswer>
export type RelayAllotmentAnswer = z.infer<typeof relayAllotmentAnswer>
export type RelayQuery = z.infer<typeof relayQuery>
