// The vendor's list of the customer's licenses: what people are shown of them. Unsigned, so nobody's right (T1).

import { relayLicense } from '../../contract/relay-api.schema.ts'
import type { RelayLicense } from '../../contract/relay-api.ts'
import { RELAY_LICENSES_PATH } from '../../contract/relay-api.ts'
import type { WordStore } from '../store/words.ts'
import type { Away, Upstream } from '../upstream/client.ts'

const DOCUMENT = 'licenses'
const PAGE = 200
const MOST_PAGES = 50

export interface KnownLicenses {
  licenses: RelayLicense[]
  /** Unix milliseconds of the last list that came whole. */
  syncedAt: number
}

export type SyncOutcome = { kind: 'done' } | Away | { kind: 'refused'; status: number }

/** The list as it is kept. Read from disk once. */
export interface LicenseList {
  known(): KnownLicenses
  keep(list: KnownLicenses): void
}

export function licenseList(words: WordStore): LicenseList {
  let kept = readList(words.document(DOCUMENT))
  return {
    known: () => kept,
    keep(list) {
      kept = list
      words.keepDocument(DOCUMENT, JSON.stringify(list), list.syncedAt)
    },
  }
}

/** What was kept, or nothing yet. */
function readList(text: string | null): KnownLicenses {
  try {
    const { licenses, syncedAt } = JSON.parse(text ?? '') as KnownLicenses
    return { licenses: licenses.map((one) => relayLicense.parse(one)), syncedAt }
  } catch {
    // Torn: the next sync brings it.
    return { licenses: [], syncedAt: 0 }
  }
}

/** Fetches the whole list and keeps it. */
export async function syncLicenses(
  { upstream, list, relayKey }: { upstream: Upstream; list: LicenseList; relayKey: string },
  now: () => number,
): Promise<SyncOutcome> {
  const licenses: RelayLicense[] = []
  let query = `?limit=${PAGE}`
  for (let page = 0; page < MOST_PAGES; page++) {
    const path = RELAY_LICENSES_PATH + query
    const result = await upstream.list({ method: 'GET', path, bearer: relayKey, body: null })
    if (result.kind === 'away') return result
    if (result.status >= 300) return { kind: 'refused', status: result.status }
    for (const one of result.items) {
      const read = relayLicense.safeParse(one)
      if (read.success) licenses.push(read.data)
    }
    if (result.next === null) break
    query = result.next
  }
  list.keep({ licenses, syncedAt: now() })
  return { kind: 'done' }
}
