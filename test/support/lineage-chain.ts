// One row of the refresh chain and its requests, at times that the test names. Every state goes through JSON.
import { expect } from 'vitest'
import { advanceLineage, type LineageAdvance } from '../../src/domain/fleet/lineage.ts'
import { type LineageState, readLineageState } from '../../src/domain/fleet/lineage-state.ts'
import { dice } from './lineage-world.ts'

export const SCOPE = { key: new Uint8Array(32).fill(9), product: 'keldris', instanceId: 'node-1' }
export const START = Date.UTC(2026, 2, 1)

/** A row and its requests, at times in ms since the start. */
export function chain(seed = 1) {
  const { bytes } = dice(seed)
  let state: LineageState | null = null
  return {
    get state(): LineageState | null {
      return state
    },
    set state(value: LineageState | null) {
      state = value
    },
    ask(at: number, refreshToken?: string, refreshId?: string): LineageAdvance {
      const result = advanceLineage(state, { refreshToken, refreshId }, SCOPE, new Date(START + at), bytes)
      state = readLineageState(JSON.parse(JSON.stringify(result.state)))
      expect(state).toEqual(result.state)
      return result
    },
  }
}
