// How a license JWT names the credential that its session began with (`cred`, T8). Looks nothing up.
import { parsePublicId, publicId } from '../../platform/ids.ts'
import type { CredentialName } from '../kernel/reference.ts'

const SOURCES = { key: 'api_key', lk: 'license_key', sjw: 'static_jwt' } as const
const PREFIXES = { api_key: 'key', license_key: 'lk', static_jwt: 'sjw' } as const

/** What `cred` of a license JWT names; null when the text names nothing. */
export function credentialNamed(cred: string | undefined): CredentialName | null {
  const prefix = cred?.split('_', 1)[0]
  if (cred === undefined || (prefix !== 'key' && prefix !== 'lk' && prefix !== 'sjw')) return null
  const id = parsePublicId(prefix, cred)
  return id === null ? null : { source: SOURCES[prefix], id }
}

/** `key_…`, `lk_…` or `sjw_…`. */
export function credentialId({ source, id }: CredentialName): string {
  return publicId(PREFIXES[source], id)
}
