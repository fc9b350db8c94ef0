// How one setting is declared: the text it is read from, its default, and the facts that messages and README tell.
import { z } from 'zod'
import { duration } from './durations.ts'
import type { Reader } from './reading.ts'

export interface SettingFacts {
  /** The text used when the setting is absent, or in words where it comes from. */
  readonly default: string
  readonly meaning: string
  readonly allowed: string
  /** Its value is never repeated in a message. */
  readonly secret?: true
}

export const settingFacts = z.registry<SettingFacts>()

/** A setting with a fixed default, which is read like any other value. */
export function preset<T>(read: Reader<T>, facts: SettingFacts) {
  return reading(read).prefault(facts.default).register(settingFacts, facts)
}

/** A setting that may be absent; what then holds is decided from the others. */
export function optional<T>(read: Reader<T>, facts: SettingFacts) {
  return reading(read).optional().register(settingFacts, facts)
}

function reading<T>(read: Reader<T>) {
  return z.string('is not text').transform((text, context): T => {
    const result = read(text)
    if ('value' in result) return result.value
    context.addIssue({ code: 'custom', message: result.wrong })
    return z.NEVER
  })
}

export function lasting(least: string, most: string, fallback: string, meaning: string) {
  const allowed = `<n>s, <n>m, <n>h or <n>d, from ${least} to ${most}`
  return preset(duration(least, most), { default: fallback, meaning, allowed })
}
