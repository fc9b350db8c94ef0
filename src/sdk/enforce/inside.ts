// What enforceLimits was given, for the offline entry: one audit, one reader of usage. Not public.
import type { EffectiveLimits } from '../../license/effective-limits.ts'
import { type Inside, insideOf } from '../runtime/inside.ts'
import type { Auditor } from './audit.ts'

export interface EnforcedInside extends Inside {
  audit: Auditor
  /** The limits in force now. */
  limits(): EffectiveLimits
  /** By limit; null where it could not be read. Never rejects. */
  usage(): Promise<Readonly<Record<string, number>> | null>
  /** Refusals so far, by limit. */
  refusals: ReadonlyMap<string, number>
}

const enforced = new WeakMap<object, Omit<EnforcedInside, keyof Inside>>()

export function keepEnforced(license: object, inside: Omit<EnforcedInside, keyof Inside>): void {
  enforced.set(license, inside)
}

/** @throws TypeError for what enforceLimits has not been called with: a programmer's mistake */
export function enforcedOf(license: object): EnforcedInside {
  const own = enforced.get(license)
  if (!own) throw new TypeError('it takes the license that enforceLimits returned')
  return { ...insideOf(license), ...own }
}
