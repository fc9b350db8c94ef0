// One command for each resource: finds the verb, reads its arguments, calls the server and shows the answer.
import { type Command, type CommandIo, readArguments, UsageError } from '../command.ts'
import { printList } from './list.ts'
import { describeOptions, membersOf, parseOptionsOf, queryOf } from './options.ts'
import { printPages } from './pages.ts'
import type { Resource, Verb } from './resource.ts'
import { send } from './send.ts'
import { openSession, SESSION_OPTIONS } from './session.ts'

const ADMIN = '/api/v1/admin'

export function operatorCommand(resource: Resource): Command {
  return { usage: usageOf(resource), run: (args, io) => run(resource, args, io) }
}

async function run(resource: Resource, args: string[], io: CommandIo): Promise<void> {
  const [verb, rest] = verbOf(resource, args)
  const placeholders = placeholdersOf(verb)
  const { values, positionals } = readArguments(
    rest,
    {
      ...parseOptionsOf(verb.query, verb.body),
      ...SESSION_OPTIONS,
      json: { type: 'boolean' },
      ...(verb.list ? { all: { type: 'boolean' }, limit: { type: 'string' } } : {}),
      ...(verb.taking ? { yes: { type: 'boolean' } } : {}),
      ...(verb.taking?.preview === 'dry_run' ? { 'dry-run': { type: 'boolean' } } : {}),
      ...(verb.csv ? { csv: { type: 'boolean' } } : {}),
    },
    placeholders.length,
  )
  const given = values as Record<string, string | boolean | undefined>
  const flags = {
    json: given.json === true,
    yes: given.yes === true,
    dryRun: given['dry-run'] === true,
    csv: given.csv === true,
  }
  const fill = filler(placeholders, positionals)
  const query = queryOf({ ...verb.fixedQuery, ...membersOf(verb.query, given) })
  const body = bodyOf(verb, membersOf(verb.body, given))
  const { client } = await openSession(
    {
      profile: typeof given.profile === 'string' ? given.profile : undefined,
      'allow-insecure': given['allow-insecure'] === true,
    },
    io,
  )
  const path = fill(verb.path)
  const columns = verb.columns ?? resource.columns
  if (verb.list) {
    const listing = { all: given.all === true, limit: given.limit as string | undefined, json: flags.json }
    return printList(client, { verb, columns, path, query }, listing, io)
  }
  if (verb.paged) return printPages(client, { verb, columns, path, query }, flags, io)
  await send(client, { verb, columns, path, query, body, fill, args: positionals }, flags, io)
}

function verbOf({ verbs, otherwise }: Resource, [name = '', ...rest]: string[]): [Verb, string[]] {
  const named = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (named) return [named, rest]
  const fallback = otherwise === undefined ? undefined : verbs[otherwise]
  if (fallback && (name === '' || name.startsWith('-')))
    return [fallback, name === '' ? rest : [name, ...rest]]
  const known = Object.keys(verbs).join(', ')
  throw new UsageError(name === '' ? `One of these is needed: ${known}.` : `${name} is none of: ${known}.`)
}

/** The body as it is sent: null where the route takes none. */
function bodyOf(verb: Verb, members: Record<string, unknown>): Record<string, unknown> | null {
  if (verb.body === undefined && verb.fixed === undefined) return null
  return { ...verb.fixed, ...members }
}

const placeholdersOf = ({ path }: Verb): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)

/** Puts the arguments into a path, whatever they are: an argument never becomes a path of its own. */
function filler(placeholders: readonly string[], given: readonly string[]): (template: string) => string {
  for (const value of given) {
    if (value === '' || value === '.' || value === '..') throw new UsageError('An argument is empty.')
  }
  return (template) => {
    const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(given[placeholders.indexOf(name)] ?? ''),
    )
    return path.startsWith('/api/') ? path : `${ADMIN}${path}`
  }
}

function usageOf({ name, verbs, otherwise }: Resource): string {
  const sections = Object.entries(verbs).map(([verbName, verb]) => {
    const shown = verbName === otherwise ? `[${verbName}]` : verbName
    const line = ['leasehold', name, shown, ...placeholdersOf(verb).map((part) => `<${part}>`)].join(' ')
    const own = describeOptions(verb.query, verb.body)
    return [`  ${line}`, `      ${verb.about}`, ...own.map((option) => `      ${option}`)].join('\n')
  })
  const every = Object.values(verbs)
  return `Usage:
${sections.join('\n')}

  --json             the server's own JSON, untouched
${every.some(({ list }) => list) ? '  --limit <number>   entries of a list; without it 50\n  --all              every entry, page after page\n' : ''}${every.some(({ csv }) => csv) ? '  --csv              a table as CSV\n' : ''}${every.some(({ taking }) => taking?.preview === 'dry_run') ? '  --dry-run          what would be lost, and nothing else\n' : ''}${every.some(({ taking }) => taking) ? '  --yes              do not ask before something is taken\n' : ''}  --profile <name>   where you are logged in; without it the one that login named last
  --allow-insecure   plain HTTP to another machine

Exit codes: 0 done, 1 failed or refused, 2 wrong usage.
`
}
