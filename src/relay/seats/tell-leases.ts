// Tells the vendor which seats are leased: every live lease and every one that was given back. Repeating is harmless.
import { randomUUID } from 'node:crypto'
import { leasesAnswer } from '../../contract/relay-api.schema.ts'
import { RELAY_BATCH, RELAY_LEASES_PATH, type RelayLeaseReport } from '../../contract/relay-api.ts'
import { rfc3339 } from '../../platform/time.ts'
import type { Commits } from '../store/commits.ts'
import type { LeaseStore } from '../store/leases.ts'
import type { WordStore } from '../store/words.ts'
import type { SyncOutcome } from '../sync/licenses.ts'
import type { Upstream } from '../upstream/client.ts'

const CHAIN = 'chain'
const UNTOLD: SyncOutcome = { kind: 'away', why: 'the leases could not be told', retryAfter: null }

export interface TellContext {
  leases: LeaseStore
  words: WordStore
  commits: Commits
  upstream: Upstream
  relayKey: string
  /** Unix milliseconds. */
  now(): number
}

/** Where the vendor was away the next sync tells it. */
export async function tellLeases({
  leases,
  words,
  commits,
  upstream,
  relayKey,
  now,
}: TellContext): Promise<SyncOutcome> {
  const all = leases.all()
  // The relay's own chain (T5) advances each time, leases or not: two copies of one relay show themselves.
  for (let from = 0; from === 0 || from < all.length; from += RELAY_BATCH) {
    const batch = all.slice(from, from + RELAY_BATCH)
    const chain = readChain(words.document(CHAIN))
    // On disk before it is sent, kept until an answer is stored.
    const onDisk = commits.watch()
    words.keepDocument(CHAIN, JSON.stringify(chain), now())
    await onDisk()
    const body = JSON.stringify({
      leases: batch.map(report),
      refresh_id: chain.id,
      ...(chain.token === null ? {} : { refresh_token: chain.token }),
    })
    const result = await upstream.send({ method: 'POST', path: RELAY_LEASES_PATH, bearer: relayKey, body })
    if (result.kind === 'away') return result
    if (result.status === 401 || result.status === 403) return { kind: 'refused', status: result.status }
    const answer = leasesAnswer.safeParse(result.body).data
    if (result.status >= 300 || answer === undefined) return UNTOLD
    words.keepDocument(CHAIN, JSON.stringify({ token: answer.refresh_token, id: randomUUID() }), now())
    leases.told(
      batch.filter(({ released }) => released),
      Math.floor(now() / 1000),
    )
  }
  return { kind: 'done' }
}

function readChain(text: string | null): { token: string | null; id: string } {
  try {
    const { token, id } = JSON.parse(text ?? '') as { token: string | null; id: string }
    return { token, id }
  } catch {
    return { token: null, id: randomUUID() }
  }
}

const report = (lease: ReturnType<LeaseStore['all']>[number]): RelayLeaseReport => ({
  license_id: lease.licenseId,
  instance_id: lease.instanceId,
  product: lease.product,
  issued_at: rfc3339(new Date(lease.issuedAt * 1000)),
  expires_at: rfc3339(new Date(lease.expiresAt * 1000)),
  ...(lease.released ? { released: true } : {}),
})
