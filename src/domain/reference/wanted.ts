// What a batch needs, as sets that a statement can ask for, and what of it the memory lacks.
import type { CredentialSource } from '../../contract/catalog.ts'
import type { CredentialName, ReferenceNeeds } from '../kernel/reference.ts'
import { type HeldLicenses, hashKey, nameKey } from './held-licenses.ts'
import type { RowsWish } from './statements.ts'

export interface Wanted {
  licenses: readonly string[]
  apiKeyHashes: readonly string[]
  licenseKeyHashes: readonly string[]
  credentials: readonly CredentialName[]
}

export const wantedOf = (needs: ReferenceNeeds): Wanted => ({
  licenses: [...(needs.licenses ?? [])],
  apiKeyHashes: [...(needs.apiKeyHashes ?? [])],
  licenseKeyHashes: [...(needs.licenseKeyHashes ?? [])],
  credentials: [...(needs.credentials ?? [])],
})

/** What is not in memory, but for what is known to be `absent` (by the keys of the memory); null when there is nothing. */
export function missingOf(wanted: Wanted, held: HeldLicenses, absent: ReadonlySet<string>): RowsWish | null {
  const lacks = (key: string) => !held.credential(key) && !absent.has(key)
  const names = (source: CredentialSource) =>
    wanted.credentials.filter((name) => name.source === source && lacks(nameKey(name))).map(({ id }) => id)
  const wish = {
    licenses: new Set(wanted.licenses.filter((id) => !held.license(id) && !absent.has(id))),
    apiKeyHashes: new Set(wanted.apiKeyHashes.filter((hash) => lacks(hashKey('api_key', hash)))),
    licenseKeyHashes: new Set(wanted.licenseKeyHashes.filter((hash) => lacks(hashKey('license_key', hash)))),
    credentials: {
      api_key: new Set(names('api_key')),
      license_key: new Set(names('license_key')),
      static_jwt: new Set(names('static_jwt')),
    },
  }
  return keysOf(wish).length === 0 ? null : wish
}

/** As the memory knows them. */
export function keysOf({ licenses, apiKeyHashes, licenseKeyHashes, credentials }: RowsWish): string[] {
  return [
    ...licenses,
    ...[...apiKeyHashes].map((hash) => hashKey('api_key', hash)),
    ...[...licenseKeyHashes].map((hash) => hashKey('license_key', hash)),
    ...(['api_key', 'license_key', 'static_jwt'] as const).flatMap((source) =>
      [...credentials[source]].map((id) => nameKey({ source, id })),
    ),
  ]
}
