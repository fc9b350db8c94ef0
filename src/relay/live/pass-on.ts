// Passes the vendor's hints on to the instances, within bounds: a flood of them becomes one word to ask anew.
import type { SyncEvent } from '../../contract/sync.ts'
import { paced } from '../sync/paced.ts'
import type { InstanceSockets } from './instance-sockets.ts'

const STEP_MS = 500
/** Hints in one step that are told one by one: more than an admin makes, less than would keep a site busy. */
const MOST = 50

export function passOn(sockets: Pick<InstanceSockets, 'tell' | 'resync'>): {
  event(event: SyncEvent): void
  resync(event: number): void
} {
  let newest = 0
  let told = 0
  const resync = paced(STEP_MS, () => sockets.resync(newest))
  return {
    event(event) {
      newest = event.event
      if (told === 0) {
        setTimeout(() => {
          told = 0
        }, STEP_MS).unref()
      }
      told += 1
      if (told <= MOST) sockets.tell(event)
      else resync()
    },
    resync(event) {
      newest = event
      resync()
    },
  }
}
