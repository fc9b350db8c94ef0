// What the relay is made of, put together once: store, vendor, front and seats. Listens to nobody yet.
import { isSafeUrl } from '../config/relay-safety.ts'
import type { RelaySettings } from '../config/relay-settings.ts'
import type { Logger } from '../platform/logger.ts'
import { StartError } from '../platform/start-error.ts'
import { nodeHost } from '../sdk/host/node.ts'
import { machineBinding } from './binding.ts'
import { serverFingerprint } from './fingerprint.ts'
import type { FrontContext } from './front/answers.ts'
import { ownNumbers } from './front/own-numbers.ts'
import { type Enrolment, openRelayKey, readEnrolment } from './identity.ts'
import { proofHash, requestHash } from './proofs.ts'
import { type Allotments, openAllotments } from './seats/allotments.ts'
import { leaseSigner } from './seats/lease.ts'
import { LEASE_SECONDS, seatOffice } from './seats/office.ts'
import { groupCommits } from './store/commits.ts'
import { grantStore } from './store/grants.ts'
import { type LeaseStore, leaseStore } from './store/leases.ts'
import { lostAt, openDatabase } from './store/open.ts'
import { type Prune, pruning } from './store/prune.ts'
import { reportQueue } from './store/queue.ts'
import { wordStore } from './store/words.ts'
import { askWhenStale, licenseSyncedAt } from './sync/freshness.ts'
import { type LicenseList, licenseList } from './sync/licenses.ts'
import { upstreamClient } from './upstream/client.ts'
import { openVendorKeys } from './upstream/vendor-keys.ts'

/** The vendor takes reports of the last 30 days. */
const MOST_REPORT_AGE = 30 * 86_400_000
const KEY_SET = 'key-set'
const KEY_SET_PATH = '/.well-known/leasehold-keys'
/** Seconds; what clients are told until the vendor has told something. */
const INTERVALS = { heartbeat: 21_600, refresh: 43_200 }

export interface OpenedRelay {
  enrolment: Enrolment
  front: FrontContext
  leases: LeaseStore
  allotments: Allotments
  /** Of this machine. */
  fingerprint: string
  list: LicenseList
  prune: Prune
  close(): void
}

export interface OpenOptions {
  settings: RelaySettings
  log: Logger
  /** Told when the vendor comes or goes, and when a seat was leased or given back. */
  onUpstream(away: boolean): void
  onSeat(): void
  /** Somebody met a license that is not fresh. */
  onStale(): void
  /** The relay answered this instance itself, because the vendor did not. */
  onOwn(instanceId: string): void
}

/** @throws StartError with what is missing or unsafe. */
export async function openRelay({
  settings,
  log,
  onUpstream,
  onSeat,
  onStale,
  onOwn,
}: OpenOptions): Promise<OpenedRelay> {
  const database = openDatabase(settings.folder, log)
  try {
    const key = await openRelayKey(settings.folder)
    const enrolment = complete(settings, await readEnrolment(settings.folder))
    const host = nodeHost()
    const now = host.clock.wall
    const commits = groupCommits(database)
    const words = wordStore(database, commits)
    const grants = grantStore(database, commits)
    const leases = leaseStore(database, commits)
    const upstream = upstreamClient({
      host,
      url: enrolment.upstream,
      timeout: settings.syncTimeout,
      now,
      onChange(away, why) {
        if (away) log.warn({ why }, 'the vendor cannot be reached')
        else log.info({}, 'the vendor answers')
        onUpstream(away)
      },
    })
    const keys = await openVendorKeys({
      issuer: enrolment.issuer,
      roots: enrolment.roots,
      now: () => Math.floor(now() / 1000),
      monotonic: host.clock.monotonic,
      async fetchKeySet() {
        const result = await upstream.send({ method: 'GET', path: KEY_SET_PATH, bearer: null, body: null })
        return result.kind === 'answer' && result.status === 200 ? result.text.trim() : null
      },
      onKeySet(token) {
        if (token === words.document(KEY_SET)) return
        try {
          words.keepDocument(KEY_SET, token, now())
        } catch (error) {
          log.error({ err: error }, 'the key set could not be kept')
        }
      },
    })
    const kept = words.document(KEY_SET)
    if (kept !== null && !(await keys.follow(kept))) log.warn({}, 'the kept key set is not the vendor’s')
    const { relayId, relayKey } = enrolment
    const hash = proofHash(key.proofKey)
    const allotments = openAllotments({ words, commits, keys, upstream, relayId, relayKey, log, now })
    await allotments.load()
    const sign = leaseSigner(key.privateKey, key.kid)
    const allotment = allotments.of
    const list = licenseList(words)
    const syncedAt = licenseSyncedAt(list.known, grants)
    const seats = seatOffice({
      times: settings,
      syncedAt,
      relayId,
      sign,
      leases,
      commits,
      grants,
      words,
      keys,
      hash,
      leasesKnownFrom: (lostAt(database) ?? 0) / 1000 + LEASE_SECONDS,
      allotment,
      now,
      onChange: onSeat,
    })
    const queue = reportQueue(database, commits, { mostBytes: settings.queueBytes, mostAge: MOST_REPORT_AGE })
    const fingerprint = serverFingerprint()
    const own = ownNumbers({ words, queue, commits, hash: requestHash(key.proofKey), now })
    return {
      enrolment,
      leases,
      allotments,
      list,
      fingerprint,
      prune: pruning(database, commits),
      front: {
        commits,
        grants,
        words,
        keys,
        hash,
        now,
        upstream,
        seats,
        log,
        times: settings,
        syncedAt,
        intervals: INTERVALS,
        queue,
        binding: machineBinding(list.known, fingerprint, log),
        own,
        meet: askWhenStale({ known: list.known, times: settings, now, ask: onStale }),
        keeps: settings.cache,
        answeredOwn: onOwn,
        counts: { kept: 0, missed: 0, inGrace: 0, forwarded: 0 },
      },
      close() {
        commits.close()
        database.close()
      },
    }
  } catch (error) {
    database.close()
    throw error
  }
}

/** The environment goes before the enrolment's file. */
function complete(settings: RelaySettings, file: Enrolment | null): Enrolment {
  const upstream = settings.upstream ?? file?.upstream
  const issuer = settings.issuer ?? file?.issuer
  const roots = settings.roots ?? file?.roots
  const relayKey = settings.relayKey ?? file?.relayKey
  const missing = [
    upstream === undefined ? 'LEASEHOLD_UPSTREAM: is missing' : null,
    upstream !== undefined && !isSafeUrl(upstream) ? 'LEASEHOLD_UPSTREAM: is http to another machine' : null,
    issuer === undefined ? 'LEASEHOLD_ISSUER: is missing' : null,
    roots === undefined ? 'LEASEHOLD_ROOT_KEYS: is missing, and nothing unsigned is believed' : null,
    relayKey === undefined ? 'LEASEHOLD_RELAY_KEY: is missing' : null,
    file === null ? 'the relay was not enrolled in this folder' : null,
  ].filter((problem) => problem !== null)
  if (
    missing.length > 0 ||
    upstream === undefined ||
    issuer === undefined ||
    roots === undefined ||
    relayKey === undefined ||
    file === null
  ) {
    throw new StartError(
      ['This relay cannot start:', ...missing.map((problem) => `  ${problem}`)].join('\n'),
      'Ask your vendor for an enrolment code, then: leasehold relay enroll --upstream URL --code CODE --root KEY.',
    )
  }
  return { upstream, issuer, roots: [...roots], relayKey, relayId: file.relayId }
}
