// The seats that the vendor delegated to this relay, as it signed them: kept, verified, renewed in time.
import type { AllotmentClaims } from '../../contract/claims.ts'
import { RELAY_ALLOTMENTS_PATH, type RelayLicense } from '../../contract/relay-api.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Commits } from '../store/commits.ts'
import type { WordStore } from '../store/words.ts'
import type { Away, Upstream } from '../upstream/client.ts'
import type { VendorKeys } from '../upstream/vendor-keys.ts'

export interface HeldAllotment {
  token: string
  claims: AllotmentClaims
  /** Unix milliseconds of the answer that brought it. */
  syncedAt: number
}

export interface Allotments {
  /** The one in force; null past its end. */
  of(licenseId: string): HeldAllotment | null
  /** Takes what was kept, so that seats are leased after a restart without the vendor. */
  load(): Promise<void>
  /** Asks for what the vendor's list says this relay may have, where that is new or half over. Null unless it was away. */
  renew(licenses: readonly RelayLicense[]): Promise<Away | null>
}

export interface AllotmentsPort {
  words: WordStore
  commits: Commits
  keys: VendorKeys
  upstream: Upstream
  relayId: string
  relayKey: string
  log: Logger
  /** Unix milliseconds. */
  now(): number
}

const documentOf = (licenseId: string): string => `allotment:${licenseId}`
/** Said while the vendor refuses to allot seats of the license: no new one is leased, over restarts too. */
const PAUSED = 'paused:'

export function openAllotments(port: AllotmentsPort): Allotments {
  const { words, keys, upstream, log, now } = port
  const held = new Map<string, HeldAllotment>()
  const paused = new Set<string>()

  const inForce = (licenseId: string): HeldAllotment | null => {
    const found = held.get(licenseId)
    return found && found.claims.exp * 1000 > now() ? found : null
  }

  async function take(token: string, licenseId: string, syncedAt: number): Promise<boolean> {
    const claims = await keys.allotment(token, port.relayId)
    if (!claims || claims.license_id !== licenseId) return false
    const before = held.get(licenseId)
    if (before && before.claims.seq > claims.seq) return false
    held.set(licenseId, { token, claims, syncedAt })
    return true
  }

  function pause(licenseId: string, isPaused: boolean): void {
    if (paused.has(licenseId) === isPaused) return
    words.keepDocument(PAUSED + licenseId, isPaused ? '1' : '', now())
    if (isPaused) paused.add(licenseId)
    else paused.delete(licenseId)
  }

  async function renewOne({ license_id: licenseId, share }: RelayLicense): Promise<Away | null> {
    const current = inForce(licenseId)
    if (share === 0 && current === null) return null
    if (current !== null && !isDue(current, share)) return null
    const request = {
      license_id: licenseId,
      seats: share,
      ...(current === null ? {} : { current: current.token }),
      ...(share === 0 ? { release: true } : {}),
    }
    const body = JSON.stringify(request)
    const sent = { method: 'POST', path: RELAY_ALLOTMENTS_PATH, bearer: port.relayKey, body } as const
    const result = await upstream.send(sent)
    if (result.kind === 'away') return result
    if (result.status >= 300) {
      // A hint that takes nothing from those who hold a seat; new ones wait until the vendor has spoken.
      if (result.status === 403) pause(licenseId, true)
      return null
    }
    pause(licenseId, false)
    const token = result.body?.allotment
    // Only the vendor's plain word that nothing is allotted any more, when that is what was asked for.
    if (token === null && share === 0) {
      held.delete(licenseId)
      words.keepDocument(documentOf(licenseId), '', now())
      return null
    }
    if (typeof token !== 'string' || !(await take(token, licenseId, now()))) {
      log.warn({ license: licenseId }, "an allotment is not the vendor's word: it is left out")
      return null
    }
    const onDisk = port.commits.watch()
    words.keepDocument(documentOf(licenseId), token, now())
    await onDisk()
    // Naming it tells the vendor that a larger one before it counts no more.
    if (current !== null && current.claims.seats > (inForce(licenseId)?.claims.seats ?? 0)) {
      await upstream.send({ ...sent, body: JSON.stringify({ ...request, current: token }) })
    }
    return null
  }

  function isDue({ claims }: HeldAllotment, share: number): boolean {
    const half = (claims.nbf + claims.exp) / 2
    return claims.seats !== share || now() / 1000 >= half
  }

  return {
    of: (licenseId) => (paused.has(licenseId) ? null : inForce(licenseId)),
    async load() {
      for (const { name, content, changedAt } of words.documents('allotment:')) {
        if (content !== '') await take(content, name.slice('allotment:'.length), changedAt)
      }
      for (const { name, content } of words.documents(PAUSED)) {
        if (content !== '') paused.add(name.slice(PAUSED.length))
      }
    },
    async renew(licenses) {
      for (const license of licenses) {
        const away = await renewOne(license)
        if (away) return away
      }
      return null
    },
  }
}
