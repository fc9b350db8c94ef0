// `leasehold mint`: signs offline licenses with the vendor's own key. Needs no server and no database.
import { type Command, type CommandIo, UsageError } from '../command.ts'
import { removeOrSay } from '../files.ts'
import { outputOfWrongCall, readMintArguments } from '../mint/arguments.ts'
import { mintMany } from '../mint/many.ts'
import { mintOne } from '../mint/one.ts'

const usage = `Usage:
  leasehold mint --private-key <key> --tenant <id> --expires <YYYY-MM-DD> [options]
  leasehold mint --private-key <key> --tenants <file.csv|-> --output <folder> [options]

  --private-key   Ed25519 in PKCS#8, PEM or base64: a file, or the key itself, which others on the machine can see
  --tenant        what the product calls its tenant
  --expires       the day at whose start, in UTC, the license ends
  --grace-days    days after that in which it still counts; without it 0
  --label         shown in the product
  --max-foo-bar   the limit max_foo_bar: a whole number or "unlimited"; any number of limits
  --features      names, separated by commas
  --tier          name of the tier
  --license-id    a UUID; without it a new one
  --instance      the only instance that may use it
  --output        the file to write, mode 0600; without it the token goes to standard output
  --verify        read it back with --public-key before it is written
  --public-key    Ed25519 as PEM, base64 SPKI, JWK or hex: a file, or the key itself
  --tenants       a list with the columns tenant, expires, label, grace_days, features, tier, license_id, instance and
                  max_…; options hold for the rows that leave a cell empty. Rows that fail are listed, the rest written
  --json          tell what was minted as JSON

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 verification failed, of one row too. After 2 and 3 with --verify there is
no output file, of a list none for a row that failed.
`

async function mint(args: string[], io: CommandIo): Promise<void> {
  try {
    const given = readMintArguments(args)
    await (given.tenants === undefined ? mintOne : mintMany)(given, io)
  } catch (error) {
    // A license of an earlier call must not pass for the one that this call did not make.
    const output = error instanceof UsageError ? await outputOfWrongCall(args) : null
    if (output !== null) await removeOrSay(output, io)
    throw error
  }
}

export const command: Command = { usage, run: mint }
