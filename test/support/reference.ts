// Two caches side by side: one of a process that runs on, and one that was loaded a moment ago.
import { sql } from 'drizzle-orm'
import type {
  CredentialName,
  Read,
  ReferenceCache,
  ReferenceFacts,
} from '../../src/domain/kernel/reference.ts'
import { readWith } from '../../src/domain/reference/read-with.ts'
import { referenceCache } from '../../src/domain/reference/reference-cache.ts'
import { settleWith } from '../../src/domain/reference/settling.ts'
import type { TestApp } from './app.ts'

export interface ReferenceProcess {
  cache: ReferenceCache
  read: Read
  /** Statements sent so far. */
  statements(): number
  settle(): Promise<void>
}

/** Another process on the database of `app`, with a cache of its own. */
export function referenceProcess(app: TestApp, mostRows?: number): ReferenceProcess {
  const { masterKey, clock, db } = app.services
  const cache = referenceCache({ masterKey, clock, ...(mostRows === undefined ? {} : { mostRows }) })
  const send = readWith(db)
  let count = 0
  const read: Read = (text, params) => {
    count += 1
    return send(text, params)
  }
  return { cache, read, statements: () => count, settle: () => settleWith(cache, read) }
}

/** The names of all that is on record, and of all that ever was, if it is handed in again. */
export interface Names {
  licenses: Set<string>
  apiKeyHashes: Set<string>
  licenseKeyHashes: Set<string>
  credentials: Map<string, CredentialName>
}

export const noNames = (): Names => ({
  licenses: new Set(),
  apiKeyHashes: new Set(),
  licenseKeyHashes: new Set(),
  credentials: new Map(),
})

export async function collectNames(app: TestApp, names: Names): Promise<void> {
  const rows = async (table: string, columns: string) => [
    ...(await app.services.db.execute<Record<string, string>>(sql.raw(`select ${columns} from ${table}`))),
  ]
  for (const { id } of await rows('licenses', 'id')) names.licenses.add(String(id))
  for (const source of ['api_key', 'license_key', 'static_jwt'] as const) {
    for (const row of await rows(`${source}s`, source === 'static_jwt' ? 'id' : 'id, hash')) {
      const name = { source, id: String(row.id) }
      names.credentials.set(`${source} ${name.id}`, name)
      if (source === 'api_key') names.apiKeyHashes.add(String(row.hash))
      if (source === 'license_key') names.licenseKeyHashes.add(String(row.hash))
    }
  }
}

/** Everything that the process knows of these names, loaded where it is not in memory. */
export async function allFacts({ cache, read }: ReferenceProcess, names: Names): Promise<unknown> {
  const credentials = [...names.credentials.values()]
  const facts: ReferenceFacts = await cache.load(read, { ...names, credentials })
  const { trusted, keySetNumber } = facts.keyring
  return {
    products: cataloguedIn(facts),
    licenses: [...names.licenses].map((id) => facts.license(id)),
    apiKeys: [...names.apiKeyHashes].map((hash) => facts.apiKey(hash)),
    licenseKeys: [...names.licenseKeyHashes].map((hash) => facts.licenseKey(hash)),
    credentials: credentials.map((name) => facts.credential(name)),
    keys: facts.publicKeys.map(({ kid, product, use, publicKeyHex, notBefore, ...times }) => ({
      kid,
      product,
      use,
      publicKeyHex,
      notBefore,
      supersededAt: times.supersededAt,
      retiredAt: times.retiredAt,
      revokedAt: times.revokedAt,
      status: trusted.get(kid)?.status,
    })),
    keySet: facts.keySet,
    keySetNumber,
  }
}

const cataloguedIn = (facts: ReferenceFacts) =>
  [...new Set(facts.publicKeys.map(({ product }) => product))].sort().map((code) => facts.productByCode(code))
