// `leasehold keys`: keys of one's own, and key sets under a root key that is kept elsewhere. What works on the database
// is loaded only when it is called, so that making a key does not wait for it.
import { type Command, runSubcommand } from '../command.ts'

const usage = `Usage:
  leasehold keys generate --output <file> [--public-output <file>] [--json]
  leasehold keys show <file|-> [--format pem|spki|jwk|hex] [--json]
  leasehold keys draft [--output <file>]
  leasehold keys sign-set --draft <file> --root-key <file> [--output <file>]
  leasehold keys import --set <file>

generate writes an Ed25519 private key (PEM, mode 0600) to a file that is not there yet, and --public-output the public
key (base64 SPKI) beside it. show tells the public half of a private or public key, with --format in that form alone.

The server has the root's public half alone (LEASEHOLD_ROOT_KEY=public:…). draft writes down what is to be signed,
sign-set signs it on the machine that has the root key and no database, import publishes it. The root key file holds
an Ed25519 private key in PKCS#8, as PEM or base64. Without --output the result goes to standard output. draft and
import work on the database of DATABASE_URL with LEASEHOLD_MASTER_KEY.
`

export const command: Command = {
  usage,
  run: (args, io) =>
    runSubcommand(
      {
        generate: async (rest) => (await import('../keys/generate.ts')).generateKey(rest, io),
        show: async (rest) => (await import('../keys/show.ts')).showKey(rest, io),
        draft: async (rest) => (await import('../keys/sets.ts')).draft(rest, io),
        'sign-set': async (rest) => (await import('../keys/sets.ts')).signSet(rest, io),
        import: async (rest) => (await import('../keys/sets.ts')).importSet(rest, io),
      },
      args,
      io,
    ),
}
