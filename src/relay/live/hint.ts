// Reads one message of the live channel. Whatever it says is a hint (T1); what cannot be read is left out.

import { syncServerMessage } from '../../contract/sync.schema.ts'
import type { SyncServerMessage } from '../../contract/sync.ts'

/** Null for anything that is not a message of the protocol. */
export function readHint(text: string): SyncServerMessage | null {
  try {
    const read = syncServerMessage.safeParse(JSON.parse(text))
    return read.success ? read.data : null
  } catch {
    return null
  }
}
