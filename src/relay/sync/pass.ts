// One pass of the relay with the vendor: key set, licenses, allotments, leases, then the reports that wait.
import type { Logger } from '../../platform/logger.ts'
import type { OpenedRelay } from '../open.ts'
import { tellLeases } from '../seats/tell-leases.ts'
import { deliver } from './deliver.ts'
import { knownLicenses, type SyncOutcome, syncLicenses } from './licenses.ts'

export interface PassContext {
  relay: OpenedRelay
  log: Logger
  isStopping(): boolean
}

export async function syncPass({ relay, log, isStopping }: PassContext): Promise<SyncOutcome> {
  const { front, enrolment, leases, allotments } = relay
  const { upstream, words, keys, queue, now } = front
  const { relayKey } = enrolment
  if (keys.current() === null) await keys.refetch()
  const outcome = await syncLicenses({ upstream, words, relayKey }, now)
  if (outcome.kind !== 'done') return outcome
  // Before the allotments: what the vendor does not know of, a shrink could give to others.
  if (!(await tellLeases({ leases, words, upstream, relayKey, now }))) {
    return { kind: 'away', why: 'the leases could not be told' }
  }
  await allotments.renew(knownLicenses(words).licenses)
  const delivered = await deliver({ queue, upstream, relayKey, log, isStopping })
  return delivered === 'done' ? { kind: 'done' } : { kind: 'away', why: 'reports still wait' }
}
