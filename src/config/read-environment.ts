// Reads a schema of settings from an environment, and says everything that is wrong with it at once.
import type { z } from 'zod'
import { StartError } from '../platform/start-error.ts'
import { type SettingFacts, settingFacts } from './setting.ts'
import { nearestName, unknownNames } from './unknown-names.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The texts of the settings that are there. */
export type Given<Name extends string> = Partial<Record<Name, string>>

const LONGEST_SHOWN = 40

/** What is known about a setting apart from its value. */
export function factsIn<Shape extends z.core.$ZodShape>(
  schema: z.ZodObject<Shape>,
  name: keyof Shape & string,
): SettingFacts {
  const setting = schema.shape[name]
  const facts = setting && settingFacts.get(setting)
  if (!facts) throw new TypeError(`${name} is not described`)
  return facts
}

/**
 * The values of `env`. An empty one counts as absent, as compose files write it. `between` adds what is wrong between
 * settings. Throws one StartError with a line for each problem; no line repeats a secret.
 */
export function readEnvironment<Shape extends z.core.$ZodShape>(
  schema: z.ZodObject<Shape>,
  env: Environment,
  between: (given: Given<keyof Shape & string>) => string[],
  knownElsewhere: readonly string[] = [],
): z.output<z.ZodObject<Shape>> {
  const names = Object.keys(schema.shape) as (keyof Shape & string)[]
  const given: Given<keyof Shape & string> = {}
  for (const name of names) {
    const value = env[name]?.trim()
    if (value) given[name] = value
  }
  const parsed = schema.safeParse(given)
  const wrong = (parsed.error?.issues ?? []).map((issue) => {
    const name = issue.path[0] as keyof Shape & string
    const facts = factsIn(schema, name)
    return `${name}: ${shown(facts, given[name] ?? '')} ${issue.message}; allowed: ${facts.allowed}`
  })
  const problems = [...wrong, ...between(given), ...unknown(env, [...names, ...knownElsewhere])]
  if (!parsed.success || problems.length > 0) throw refusal(problems)
  return parsed.data
}

/** A short value helps to find it; a secret one, or one that may hold a password, stays unsaid. */
function shown(facts: SettingFacts, value: string): string {
  const unsaid = facts.secret || value.includes('@') || value.length > LONGEST_SHOWN
  return unsaid ? 'the value' : JSON.stringify(value)
}

function unknown(env: Environment, names: readonly string[]): string[] {
  return unknownNames(env, names).map((name) => {
    const nearest = nearestName(name, names)
    return `${name}: is no setting; ${nearest ? `did you mean ${nearest}?` : 'remove it'}`
  })
}

/** One StartError for all problems, each on a line of its own. */
export function refusal(problems: readonly string[]): StartError {
  const count = problems.length === 1 ? 'A setting is wrong' : `${problems.length} settings are wrong`
  return new StartError(
    [`${count}:`, ...problems.map((problem) => `  ${problem}`)].join('\n'),
    'Correct the environment and start again. The README lists every setting.',
  )
}
