// `leasehold inspect`: shows what a signed object says, and says first whether anybody vouches for it.
import type { Command } from '../command.ts'
import { tell } from '../tokens/tell.ts'
import { readTokenArguments, TRUST_USAGE } from '../tokens/trust.ts'

const usage = `Usage:
  leasehold inspect <file|-> [options]

Shows a license JWT, license key, entitlement token, envelope, directive, offline answer, allotment, relay lease or key
set: what it is, who signed it, what it grants, how long, and whether it is valid now. Without a key to check it with, it
says NOT VERIFIED.

${TRUST_USAGE}`

export const command: Command = {
  usage,
  run: async (args, io) => void (await tell(await readTokenArguments(args), io)),
}
