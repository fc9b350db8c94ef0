// `leasehold admin-keys`: the first owner key, and the way back in for whoever runs the server.
import type { AdminKeyAnswer } from '../../contract/admin-keys.schema.ts'
import { newAdminKey } from '../../contract/admin-keys.schema.ts'
import { createAdminKey } from '../../domain/admin-keys/create-admin-key.ts'
import { listAdminKeys } from '../../domain/admin-keys/list-admin-keys.ts'
import { revokeAdminKey } from '../../domain/admin-keys/revoke-admin-key.ts'
import type { Ctx } from '../../domain/kernel/context.ts'
import { presentAdminKey } from '../../http/routes/present-admin-key.ts'
import {
  type Command,
  type CommandIo,
  readArguments,
  required,
  runSubcommand,
  UsageError,
} from '../command.ts'
import { withServices } from '../open-services.ts'

const usage = `Usage:
  leasehold admin-keys create --role <role> [--name <name>] [--expires-at <time>] [--json]
  leasehold admin-keys list [--json]
  leasehold admin-keys revoke <id> [--json]

  --role        owner, operator, support or auditor
  --name        what the key is for; without it "cli"
  --expires-at  RFC 3339; without it the key never expires

create prints the key alone to standard output, and never again. Works on the database of DATABASE_URL with
LEASEHOLD_MASTER_KEY, or on the embedded one of LEASEHOLD_DATA_DIR (.data), while its server runs or not.
`

const PAGE = 200
/** Name of a key that was given none. */
const UNNAMED = 'cli'
const OPEN = { rootKey: 'unused', embedded: true } as const
const json = { type: 'boolean' } as const

async function create(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, {
    role: { type: 'string' },
    name: { type: 'string' },
    'expires-at': { type: 'string' },
    json,
  })
  const wanted = newAdminKey.safeParse({
    role: required(values.role, '--role'),
    name: values.name ?? UNNAMED,
    expires_at: values['expires-at'] ?? null,
  })
  if (!wanted.success) {
    const [issue] = wanted.error.issues
    throw new UsageError(`--${String(issue?.path[0]).replace('_', '-')}: ${issue?.message}`)
  }
  await withServices(io.env, OPEN, async (ctx) => {
    const { key, secret } = await createAdminKey(ctx, wanted.data)
    const shown = presentAdminKey(key, ctx.clock.now())
    if (values.json) return io.out(`${JSON.stringify({ ...shown, admin_key: secret })}\n`)
    io.say(`Created ${shown.id}, "${shown.name}", role ${shown.role}. Keep the key: it is not shown again.`)
    io.out(`${secret}\n`)
  })
}

async function list(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { json })
  await withServices(io.env, OPEN, async (ctx) => {
    const keys = await allKeys(ctx)
    if (values.json) return io.out(`${JSON.stringify(keys)}\n`)
    for (const key of keys) {
      io.out(`${[key.id, key.status.padEnd(7), key.role.padEnd(8), key.prefix, key.name].join('  ')}\n`)
    }
  })
}

async function allKeys(ctx: Ctx): Promise<AdminKeyAnswer[]> {
  const keys: AdminKeyAnswer[] = []
  const now = ctx.clock.now()
  for (let after: string | undefined, more = true; more; ) {
    const page = await listAdminKeys(ctx, { limit: PAGE, after })
    keys.push(...page.items.map((row) => presentAdminKey(row, now)))
    after = page.next ?? undefined
    more = page.next !== null
  }
  return keys
}

async function revoke(args: string[], io: CommandIo): Promise<void> {
  const { values, positionals } = readArguments(args, { json }, 1)
  await withServices(io.env, OPEN, async (ctx) => {
    const row = await revokeAdminKey(ctx, positionals[0] ?? '')
    const key = presentAdminKey(row, ctx.clock.now())
    io.out(values.json ? `${JSON.stringify(key)}\n` : `${key.id} is revoked.\n`)
  })
}

export const command: Command = {
  usage,
  run: (args, io) => runSubcommand({ create, list, revoke }, args, io),
}
