// The preview of a signing key's revocation as the admin API shows it.
import type { KeyRevocationPreview } from '../../contract/admin-signing.schema.ts'
import type { RevocationPreview } from '../../domain/previews/preview-revocation.ts'
import type { InUse } from '../../domain/signing/signed-by.ts'
import { presentSigningKey } from '../../domain/signing/signing-key.ts'
import { publicId } from '../../platform/ids.ts'
import { rfc3339 } from '../../platform/time.ts'

export function presentRevocationPreview(preview: RevocationPreview, now: Date): KeyRevocationPreview {
  const { key, changes, takesOver, signed } = preview
  return {
    dry_run: true,
    ...presentSigningKey(key, now),
    changes,
    takes_over: takesOver,
    stops_verifying: {
      leases: shown(signed.leases),
      static_jwts: shown(signed.staticJwts),
      license_keys: { ...shown(signed.licenseKeys), offline: signed.offlineKeys },
      entitlement_tokens: signed.entitled,
      allotments: shown(signed.allotments),
      offline_answers: shown(signed.offlineAnswers),
    },
    instances: signed.instances.map(({ instanceKey, instanceId, leaseEndsAt }) => ({
      id: publicId('ins', instanceKey),
      instance_id: instanceId,
      lease_ends_at: rfc3339(leaseEndsAt),
    })),
    not_counted: key.use === 'raw' ? ['envelopes'] : [],
  }
}

const shown = ({ count, since }: InUse) => ({ count, since: since && rfc3339(since) })
