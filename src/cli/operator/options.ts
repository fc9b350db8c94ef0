// The options of a verb: from the arguments to the query and the body. Checks forms only; what is allowed says the server.
import type { ParseArgsConfig } from 'node:util'
import { isJsonObject } from '../../license/json.ts'
import { UsageError } from '../command.ts'
import type { Option, Options, Row } from './resource.ts'

type Parsed = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
type ParseOptions = NonNullable<ParseArgsConfig['options']>

const NULL = 'none'

/** The same options as node:util's parseArgs wants them. */
export function parseOptionsOf(...groups: (Options | undefined)[]): ParseOptions {
  const found: ParseOptions = {}
  for (const group of groups) {
    for (const [name, { kind }] of Object.entries(group ?? {})) {
      if (kind === 'flag') found[name] = { type: 'boolean' }
      else if (kind === 'names' || kind === 'numbers') found[name] = { type: 'string', multiple: true }
      else found[name] = { type: 'string' }
    }
  }
  return found
}

/** The members that were given, at their depth. @throws UsageError naming the option. */
export function membersOf(options: Options | undefined, given: Parsed): Record<string, unknown> {
  const members: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(options ?? {})) {
    const value = given[name]
    if (value === undefined) {
      if (option.required) throw new UsageError(`--${name} is missing.`)
      continue
    }
    place(members, (option.member ?? name.replaceAll('-', '_')).split('.'), readValue(value, name, option))
  }
  return members
}

function place(into: Record<string, unknown>, [name = '', ...rest]: string[], value: unknown): void {
  if (name === '' && isJsonObject(value)) {
    Object.assign(into, value)
    return
  }
  if (rest.length === 0) {
    into[name] = value
    return
  }
  const inner = isJsonObject(into[name]) ? into[name] : {}
  into[name] = inner
  place(inner as Record<string, unknown>, rest, value)
}

function readValue(value: string | boolean | (string | boolean)[], name: string, option: Option): unknown {
  const texts = [value].flat().map(String)
  const [first = ''] = texts
  if (option.nullable && texts.length === 1 && first === NULL) return null
  switch (option.kind) {
    case 'text':
      return first
    case 'flag':
      return true
    case 'number':
      return wholeNumber(first, name)
    case 'yes-no':
      if (first !== 'yes' && first !== 'no') throw new UsageError(`--${name} must be yes or no.`)
      return first === 'yes'
    case 'names':
      return first === NULL ? [] : texts.flatMap((part) => part.split(',')).map((part) => part.trim())
    case 'numbers':
      return first === NULL ? {} : Object.fromEntries(texts.flatMap((part) => pairsOf(part, name)))
    case 'json':
      return jsonOf(first, name)
  }
}

function wholeNumber(text: string, name: string): number {
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  throw new UsageError(`--${name} must be a whole number.`)
}

function pairsOf(text: string, name: string): [string, number][] {
  return text.split(',').map((pair) => {
    const [key = '', value = ''] = pair.split('=', 2).map((part) => part.trim())
    if (key === '' || value === '') throw new UsageError(`--${name} must be name=number, name=unlimited.`)
    return [key, value === 'unlimited' ? -1 : wholeNumber(value, name)]
  })
}

function jsonOf(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`--${name} must be JSON.`)
  }
}

/** Members as the query of a URL; null and undefined are left out. */
export function queryOf(members: Row): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined && value !== null) query.set(name, String(value))
  }
  return query
}

/** One line for each option, for the usage. */
export function describeOptions(...groups: (Options | undefined)[]): string[] {
  const all = groups.flatMap((group) => Object.entries(group ?? {}))
  return all.map(([name, option]) => {
    const notes = [option.required ? 'needed' : null, option.nullable ? '`none` for none' : null].filter(
      Boolean,
    )
    return `--${`${name}${FORMS[option.kind]}`.padEnd(30)} ${option.about}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`
  })
}

const FORMS: Record<Option['kind'], string> = {
  text: ' <text>',
  number: ' <number>',
  flag: '',
  'yes-no': ' <yes|no>',
  names: ' <a,b>',
  numbers: ' <name=number>',
  json: ' <json>',
}
