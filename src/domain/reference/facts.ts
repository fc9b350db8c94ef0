// What a version answers. The facts of a batch are pinned: they stay as they are while the cache goes on.
import type { Clock } from '../../platform/clock.ts'
import type { CredentialFacts, LicenseFacts, ReferenceFacts } from '../kernel/reference.ts'
import { type HeldLicense, type HeldLicenses, hashKey, nameKey } from './held-licenses.ts'
import { composed, type Version } from './version.ts'
import type { Wanted } from './wanted.ts'

/** How rows are found in memory: all of it, or those of one batch. */
export interface RowSource {
  license(id: string): HeldLicense | undefined
  /** By `nameKey` or `hashKey`. */
  credential(key: string): CredentialFacts | undefined
}

/** The facts of whichever version `current` gives when they are asked. */
export function factsOf(current: () => Version, rows: RowSource, clock: Pick<Clock, 'now'>): ReferenceFacts {
  return {
    get number() {
      return current().number
    },
    productByCode: (code) => current().catalog.byCode.get(code)?.facts,
    productById: (id) => current().catalog.byId.get(id)?.facts,
    license(id): LicenseFacts | undefined {
      const found = rows.license(id)
      return found && composed(found, current().catalog)
    },
    apiKey: (hash) => rows.credential(hashKey('api_key', hash)),
    licenseKey: (hash) => rows.credential(hashKey('license_key', hash)),
    credential: (name) => rows.credential(nameKey(name)),
    get keyring() {
      return current().catalog.keyring(clock.now())
    },
    get publicKeys() {
      return current().catalog.keys
    },
    get keySet() {
      return current().catalog.keySet
    },
  }
}

/** The rows of a batch, taken out of the memory as they are now; the licenses of its credentials too. */
export function pinned(wanted: Wanted, held: HeldLicenses): RowSource {
  const licenses = new Map<string, HeldLicense | undefined>()
  const credentials = new Map<string, CredentialFacts | undefined>()
  for (const id of wanted.licenses) licenses.set(id, held.license(id))
  const keys = [
    ...wanted.apiKeyHashes.map((hash) => hashKey('api_key', hash)),
    ...wanted.licenseKeyHashes.map((hash) => hashKey('license_key', hash)),
    ...wanted.credentials.map(nameKey),
  ]
  for (const key of keys) {
    const credential = held.credential(key)
    credentials.set(key, credential)
    if (credential) licenses.set(credential.licenseId, held.license(credential.licenseId))
  }
  return {
    license: (id) => asked(licenses, id),
    credential: (key) => asked(credentials, key),
  }
}

function asked<Value>(found: ReadonlyMap<string, Value | undefined>, key: string): Value | undefined {
  if (!found.has(key)) throw new Error('reference data was not asked for before it was needed')
  return found.get(key)
}
