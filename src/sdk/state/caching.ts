// Which grant the license cache holds: the newest that came from the server, written by the leader alone.
import { isStaticMode } from './requests.ts'
import type { Turn } from './turn.ts'

/** Static mode never writes the cache (reference, section 2). */
export function saveCache(turn: Turn): void {
  const { role, slots } = turn.state
  const { session } = slots
  if (role !== 'leader' || session?.origin !== 'online' || isStaticMode(turn.state)) return
  turn.effects.push({ type: 'save_cache', grant: session })
}
