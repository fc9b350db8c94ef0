// One turn of the reducer: the state as far as it has come, and what is to be done. Local to one call of reduce.
import { draw } from '../schedule/random.ts'
import type { Effect } from './effects.ts'
import type { SdkState, Task, TaskKind } from './state.ts'

export interface Turn {
  state: SdkState
  effects: Effect[]
  /** What a change of this turn comes from, for people. */
  why: string
}

export function update(turn: Turn, patch: Partial<SdkState>): void {
  turn.state = { ...turn.state, ...patch }
}

/** The same, for what has to survive a restart. */
export function updateKept(turn: Turn, patch: Partial<SdkState>): void {
  turn.state = { ...turn.state, ...patch, dirty: true }
}

export function setTask(turn: Turn, kind: TaskKind, patch: Partial<Task>): void {
  const { tasks } = turn.state
  update(turn, { tasks: { ...tasks, [kind]: { ...tasks[kind], ...patch } } })
}

/** Makes a task due after `ms`, unless it is due sooner. */
export function dueWithin(turn: Turn, kind: TaskKind, ms: number): void {
  const at = turn.state.time.elapsed + ms
  const { dueAt } = turn.state.tasks[kind]
  if (dueAt === null || dueAt > at) setTask(turn, kind, { dueAt: at })
}

export function dueIn(turn: Turn, kind: TaskKind, ms: number): void {
  setTask(turn, kind, { dueAt: turn.state.time.elapsed + ms })
}

/** A random number from 0 up to 1. */
export function chance(turn: Turn): number {
  const { value, chance: next } = draw(turn.state.chance)
  update(turn, { chance: next })
  return value
}

export function warn(turn: Turn, message: string): void {
  turn.effects.push({ type: 'log', level: 'warn', message })
}

export function inform(turn: Turn, message: string): void {
  turn.effects.push({ type: 'log', level: 'info', message })
}
