// What a resource of the admin API says of itself, so that one core can list, show, change and confirm it. Does nothing.

/** How the text of an option becomes a value. `none` stands for null where that is allowed. */
export type OptionKind = 'text' | 'number' | 'flag' | 'yes-no' | 'names' | 'numbers' | 'json'

export interface Option {
  kind: OptionKind
  about: string
  /** Member of the query or body, dots for depth, empty for the whole; without it the option's name with underscores. */
  member?: string
  required?: true
  nullable?: true
}

export type Options = Readonly<Record<string, Option>>
export type Row = Readonly<Record<string, unknown>>

export interface Column {
  title: string
  of: (row: Row) => unknown
}

export interface Taking {
  /** `dry_run`: the server says what would be lost. `none`: it has no such answer. */
  preview: 'dry_run' | 'none'
  /** What goes, for the one who is asked. */
  takes: string
  /** Where what is to be typed is looked up; without it, it is the id. */
  name?: { path: string; member: string }
  /** The number that the preview showed must be sent, and typed. */
  counted?: { previewed: string; member: string }
  /** Where only some of it takes; without it, all of it does. */
  when?: TakingWhen
}

export interface TakingWhen {
  /** Whether what is sent may take something. */
  mayTake: (body: Row, before: Row, args: readonly string[]) => boolean
  /** The path of what `before` is: the thing as it is now; without it, empty. */
  before?: string
}

export interface Verb {
  about: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below /api/v1/admin, or a whole path; each {part} is an argument. */
  path: string
  query?: Options
  body?: Options
  /** Members that the verb itself sets. */
  fixed?: Row
  fixedQuery?: Readonly<Record<string, string>>
  /** A list, and how its next page is found: by the Link header, or after the number of the last entry. */
  list?: 'link' | 'number'
  columns?: readonly Column[]
  /** The answer is a page, `next` in it the path of the one after; all are fetched. */
  paged?: true
  /** Rows of an answer that is no list. */
  rows?: (answer: Row) => readonly Row[]
  taking?: Taking
  /** Member that is shown this once. It goes alone to standard output. */
  secret?: string
  /** The answer is itself a file: it is shown as the server wrote it. */
  file?: true
  /** The server also answers as CSV. */
  csv?: true
  /** Takes no admin key. */
  anonymous?: true
}

export interface Resource {
  name: string
  columns?: readonly Column[]
  verbs: Readonly<Record<string, Verb>>
  /** The verb where none is named. */
  otherwise?: string
}

/** A column that shows a member as it is; dots for depth. */
export const column = (title: string, path: string = title.replaceAll(' ', '_')): Column => ({
  title,
  of: (row) => memberOf(row, path),
})

export function memberOf(row: unknown, path: string): unknown {
  let value = row
  for (const name of path.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as Row)[name] : undefined
  }
  return value
}

export const text = (about: string, more: Partial<Option> = {}): Option => ({ kind: 'text', about, ...more })
export const number = (about: string, more: Partial<Option> = {}): Option => ({
  kind: 'number',
  about,
  ...more,
})
export const flag = (about: string, more: Partial<Option> = {}): Option => ({ kind: 'flag', about, ...more })
export const yesNo = (about: string, more: Partial<Option> = {}): Option => ({
  kind: 'yes-no',
  about,
  ...more,
})
export const names = (about: string, more: Partial<Option> = {}): Option => ({
  kind: 'names',
  about,
  ...more,
})
export const numbers = (about: string, more: Partial<Option> = {}): Option => ({
  kind: 'numbers',
  about,
  ...more,
})
export const json = (about: string, more: Partial<Option> = {}): Option => ({ kind: 'json', about, ...more })

/** For what may be left out of a change: the options of the same members when they are made. */
export const optional = (options: Options): Options =>
  Object.fromEntries(
    Object.entries(options).map(([name, { required: _, ...rest }]) => [name, rest satisfies Option]),
  )
