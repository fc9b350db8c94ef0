// One request that is no list: tried first and confirmed where it takes something, then made, then shown.
import { isJsonObject } from '../../license/json.ts'
import { type CommandIo, RefusedError } from '../command.ts'
import { printable } from '../table.ts'
import type { AdminClient } from './client.ts'
import { confirm, previewLines } from './confirm.ts'
import { memberOf, type Row, type Taking, type Verb } from './resource.ts'
import { cellOf, details, table } from './show.ts'

export interface Sending {
  verb: Verb
  columns: Verb['columns']
  path: string
  query: URLSearchParams
  body: Record<string, unknown> | null
  /** Puts the arguments into another path of the same thing. */
  fill: (template: string) => string
  /** The first is what it is called where it has no better name. */
  args: readonly string[]
}

export interface SendFlags {
  json: boolean
  yes: boolean
  dryRun: boolean
  csv: boolean
}

export async function send(
  client: AdminClient,
  given: Sending,
  flags: SendFlags,
  io: CommandIo,
): Promise<void> {
  const { verb } = given
  let { body } = given
  if (verb.taking && (flags.yes || (await mayTake(client, given, verb.taking)))) {
    const confirmed = await takingBody(client, given, verb.taking, flags, io)
    if (confirmed === 'tried') return
    body = confirmed
  }
  const answer = await request(client, given, given.query, body, flags.csv ? 'text/csv' : undefined)
  if (flags.csv) return io.out(answer)
  if (answer.trim() === '') {
    if (!flags.json) io.out(`${printable(given.args[0] ?? '')} is gone.\n`)
    return
  }
  if (flags.json || verb.file) return io.out(`${answer.trimEnd()}\n`)
  show(JSON.parse(answer), given, io)
}

async function request(
  client: AdminClient,
  { verb, path }: Sending,
  query: URLSearchParams,
  body: Record<string, unknown> | null,
  accept?: string,
): Promise<string> {
  const search = query.size > 0 ? `?${query}` : ''
  const { text } = await client.call({
    method: verb.method,
    path: `${path}${search}`,
    ...(body === null ? {} : { body }),
    ...(accept === undefined ? {} : { accept }),
    ...(verb.anonymous ? { anonymous: true } : {}),
  })
  return text
}

async function mayTake(
  client: AdminClient,
  { body, fill, args }: Sending,
  { when }: Taking,
): Promise<boolean> {
  if (!when) return true
  const text = when.before && (await client.call({ method: 'GET', path: fill(when.before) })).text
  return when.mayTake(body ?? {}, text ? (JSON.parse(text) as Row) : {}, args)
}

/** The body to send once it is confirmed, or `tried` where it was only to be tried. */
async function takingBody(
  client: AdminClient,
  given: Sending,
  taking: Taking,
  flags: SendFlags,
  io: CommandIo,
): Promise<Record<string, unknown> | null | 'tried'> {
  // With --yes nobody looks at a preview; only its count may be needed.
  const isNeeded = flags.dryRun || !flags.yes || taking.counted !== undefined
  const preview = taking.preview === 'dry_run' && isNeeded ? await tried(client, given) : null
  if (preview) {
    if (flags.dryRun && flags.json) {
      io.out(`${preview.text.trimEnd()}\n`)
      return 'tried'
    }
    const lines = previewLines(preview.answer).map((line) => printable(line))
    if (flags.dryRun) {
      io.out(`${lines.join('\n')}\n`)
      return 'tried'
    }
    for (const line of lines) io.say(line)
  }
  const count = taking.counted ? preview?.answer[taking.counted.previewed] : undefined
  const name = count !== undefined ? String(count) : await nameOf(client, given, taking, flags)
  await confirm(taking, name, flags, io)
  return taking.counted ? { ...given.body, [taking.counted.member]: count } : given.body
}

async function tried(client: AdminClient, given: Sending): Promise<{ text: string; answer: Row }> {
  const query = new URLSearchParams(given.query)
  query.set('dry_run', 'true')
  const text = await request(client, given, query, given.body)
  return { text, answer: JSON.parse(text) as Row }
}

async function nameOf(
  client: AdminClient,
  { fill, args: [id = ''] }: Sending,
  { name }: Taking,
  { yes }: SendFlags,
): Promise<string> {
  if (!name || yes) return id
  const { text } = await client.call({ method: 'GET', path: fill(name.path) })
  const found = memberOf(JSON.parse(text), name.member)
  return typeof found === 'string' && found !== '' ? found : id
}

function show(answer: unknown, { verb, columns }: Sending, io: CommandIo): void {
  if (!isJsonObject(answer)) {
    throw new RefusedError(['The server answered with something else than an object.'])
  }
  if (verb.rows) io.out(table(verb.rows(answer), columns ?? [], io))
  else if (verb.secret === undefined) io.out(details(answer, io))
  else {
    io.say(
      `${answer.id === undefined ? 'Done' : cellOf(answer.id)}. What follows is not shown again: keep it.`,
    )
    io.out(`${cellOf(answer[verb.secret])}\n`)
  }
}
