// Previews as the admin API shows them.
import type { TakingPreview } from '../../contract/admin-previews.schema.ts'
import type { Effect } from '../../domain/previews/effects.ts'
import type { Preview } from '../../domain/previews/preview-taking.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'

export const presentPreview = ({ changes, count, effects }: Preview): TakingPreview => ({
  dry_run: true,
  changes,
  matched: count,
  instances: effects.map(presentEffect),
})

const presentEffect = (effect: Effect): TakingPreview['instances'][number] => ({
  id: publicId('ins', effect.instanceKey),
  instance_id: effect.instanceId,
  product: effect.product,
  loses: {
    tier: { before: effect.tierBefore, after: effect.tierAfter },
    features: effect.featuresLost,
    limits: effect.limitsLowered,
  },
  taken_by: effect.takenBy,
  next_heartbeat_by: rfc3339(effect.nextHeartbeatBy),
  lease_ends_at: effect.leaseEndsAt && rfc3339(effect.leaseEndsAt),
  grace_ends_at: effect.graceEndsAt && rfc3339(effect.graceEndsAt),
})
