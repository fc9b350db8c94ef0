// `leasehold whoami`: which server, which admin key, which role; and which other profiles there are.
import type { AdminKeyAnswer } from '../../contract/admin-keys.schema.ts'
import { type Command, type CommandIo, readArguments } from '../command.ts'
import { readProfiles } from '../operator/profiles.ts'
import { openSession, SESSION_OPTIONS } from '../operator/session.ts'
import { cellOf } from '../operator/show.ts'
import { pairs } from '../table.ts'

const usage = `Usage:
  leasehold whoami [--profile <name>] [--json]

Asks the server whose admin key this is.
`

async function whoami(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { ...SESSION_OPTIONS, json: { type: 'boolean' } })
  const { client, server, profile } = await openSession(values, io)
  const { text } = await client.call({ method: 'GET', path: '/api/v1/admin/whoami' })
  if (values.json) return io.out(`${text}\n`)
  const key = JSON.parse(text) as AdminKeyAnswer
  const others = Object.keys((await readProfiles(io)).profiles).filter((name) => name !== profile)
  const rows: [string, string][] = [
    ['server', server],
    ['profile', profile ?? 'none: from the environment'],
    ['key', `${key.id} (${key.prefix}…)`],
    ['name', key.name],
    ['role', key.role],
    ['expires', cellOf(key.expires_at)],
    ...(others.length > 0 ? [['other profiles', others.join(', ')] as [string, string]] : []),
  ]
  io.out(pairs(rows, io))
}

export const command: Command = { usage, run: whoami }
