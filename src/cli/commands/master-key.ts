// `leasehold master-key`: seals every private key and the pepper under another master key.
import { readMasterKey } from '../../config/master-key.ts'
import { rotateMasterKey } from '../../domain/signing/rotate-master-key.ts'
import { type Command, type CommandIo, readArguments, runSubcommand, UsageError } from '../command.ts'
import { NEW_MASTER_KEY, withServices } from '../open-services.ts'

const usage = `Usage:
  leasehold master-key rotate [--new-key <base64>]

The new key is 32 random bytes in base64, as \`openssl rand -base64 32\` prints them. Give it in ${NEW_MASTER_KEY}
rather than as an option, which other users of the machine can see. Works on the database of DATABASE_URL;
LEASEHOLD_MASTER_KEY is the old key. All rows are changed, or none.
`

async function rotate(args: string[], io: CommandIo): Promise<void> {
  const { values } = readArguments(args, { 'new-key': { type: 'string' } })
  const newKey = readNewKey(values['new-key'] ?? io.env[NEW_MASTER_KEY])
  await withServices(io.env, { rootKey: 'unused' }, async (ctx) => {
    if (Buffer.from(ctx.masterKey).equals(newKey)) throw new UsageError('The new key is the old one.')
    const { signingKeys, secrets } = await rotateMasterKey(ctx, newKey)
    io.out(`Sealed ${signingKeys} signing keys and ${secrets} other secrets under the new master key.\n`)
    io.say(
      'Now start every server with LEASEHOLD_MASTER_KEY set to the new key. Until then those that run go on serving, ' +
        'but make no new signing keys. Keep the old key as long as you keep backups made under it.',
    )
  })
}

function readNewKey(text: string | undefined): Uint8Array {
  if (!text) throw new UsageError(`The new key is missing: set ${NEW_MASTER_KEY}.`)
  const key = readMasterKey(text.trim())
  if ('value' in key) return key.value
  throw new UsageError(`The new key ${key.wrong}.`)
}

export const command: Command = {
  usage,
  run: (args, io) => runSubcommand({ rotate }, args, io),
}
