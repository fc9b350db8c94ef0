// One pass of the relay with the vendor: key set, licenses, allotments, leases, then the reports that wait.
import type { Logger } from '../../platform/logger.ts'
import type { OpenedRelay } from '../open.ts'
import { tellLeases } from '../seats/tell-leases.ts'
import { deliver } from './deliver.ts'
import { type SyncOutcome, syncLicenses } from './licenses.ts'

export interface PassContext {
  relay: OpenedRelay
  log: Logger
  isStopping(): boolean
}

export async function syncPass({ relay, log, isStopping }: PassContext): Promise<SyncOutcome> {
  const { front, enrolment, leases, allotments, list } = relay
  const { upstream, words, commits, keys, queue, now } = front
  const { relayKey } = enrolment
  if (keys.current() === null) await keys.refetch()
  const listed = await syncLicenses({ upstream, list, relayKey }, now)
  if (listed.kind !== 'done') return listed
  // Before the allotments: what the vendor does not know of, a shrink could give to others.
  const told = await tellLeases({ leases, words, commits, upstream, relayKey, now })
  if (told.kind !== 'done') return told
  const away = await allotments.renew(list.known().licenses)
  if (away?.retryAfter) return away
  const delivered = await deliver({ queue, upstream, relayKey, log, isStopping })
  return delivered.kind === 'done' && away ? away : delivered
}
