// What the state wants done. The driver does it; nothing here decides.
import type { Grant } from '../grants/grant.ts'
import type { LicenseChange } from '../public/license.ts'
import type { RequestKind } from './events.ts'
import type { TaskKind } from './state.ts'

export type Effect =
  | { type: 'send'; task: TaskKind; request: RequestKind }
  | { type: 'log'; level: 'info' | 'warn'; message: string }
  | { type: 'change'; change: LicenseChange }
  /** The start is over. */
  | { type: 'settled' }
  /** All that `refreshNow` asked for has been answered or was in vain. */
  | { type: 'asked_done' }
  | { type: 'save' }
  | { type: 'save_cache'; grant: Grant }
