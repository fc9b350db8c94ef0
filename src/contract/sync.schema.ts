// The messages of the live channel in zod. Tolerant of unknown members, as the instance API is.
import { z } from 'zod'
import type { SyncClientMessage, SyncServerMessage } from './sync.ts'

const event = z.int().nonnegative().meta({ description: 'Number of the event; rises, with gaps.' })
const licenseId = z.string().regex(/^lic_[0-9a-f]{32}$/)
const instance = z.string().regex(/^ins_[0-9a-f]{32}$/)

const hello = z.object({
  type: z.literal('hello'),
  token: z.string().min(1).max(4096).optional(),
  last_event: event.optional(),
})
const ping = z.object({ type: z.literal('ping'), event: event.optional() })
const pong = z.object({ type: z.literal('pong') })

export const syncClientMessage = z
  .discriminatedUnion('type', [hello, ping, pong])
  .meta({ id: 'SyncClientMessage' }) satisfies z.ZodType<SyncClientMessage>

export const syncServerMessage = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('welcome'), event, ping_interval: z.int().positive() }),
    z.object({
      type: z.literal('license.changed'),
      event,
      license_id: licenseId,
      instance: instance.exactOptional(),
    }),
    z.object({ type: z.literal('action.changed'), event, instance }),
    z.object({ type: z.literal('keys.changed'), event, product: z.string().min(1) }),
    z.object({ type: z.literal('resync_required'), event }),
    ping,
    pong,
  ])
  .meta({ id: 'SyncServerMessage' }) satisfies z.ZodType<SyncServerMessage>
