// `leasehold verify`: checks a signed object against a public key; the exit code is the answer.
import type { EnvelopePayload } from '../../contract/claims.ts'
import { ENVELOPE_REFUSALS } from '../../license/messages.ts'
import { type Command, type CommandIo, NotVerifiedError, UsageError } from '../command.ts'
import { tell, UnknownToken } from '../tokens/tell.ts'
import { readTokenArguments, TRUST_USAGE } from '../tokens/trust.ts'

const usage = `Usage:
  leasehold verify <file|-> --public-key <key> [options]
  leasehold verify <file|-> --jwks <file> [options]
  leasehold verify <file|-> --key-set <file> --public-key <root key> [options]

Exit code 0 when the key signed it, it names what the options say, and it holds now, its grace included; else 3. A key
set is checked with the root key. What no JWK set vouches for (directives, offline answers, allotments, relay leases)
is checked with the root-signed key set.

${TRUST_USAGE}`

async function verify(args: string[], io: CommandIo): Promise<void> {
  const trust = await readTokenArguments(args)
  if (!trust.keys) throw new UsageError('--public-key or --jwks is missing.')
  const { checked, description, validNow } = await tell(trust, io).catch((error: unknown) => {
    // A damaged token is a token that does not verify.
    if (error instanceof UnknownToken)
      throw new NotVerifiedError(`VERIFY FAILED: ${error.message}\n${error.fix}`)
    throw error
  })
  if (checked.verdict !== 'verified') throw new NotVerifiedError(`VERIFY FAILED: ${checked.reason}`)
  if (!validNow) throw new NotVerifiedError(`VERIFY FAILED: ${ended(checked.claims, description.until)}`)
}

/** An envelope ends in the words that the product will use of it. */
function ended(claims: object, until: string | null): string {
  const { exp, gracePeriodDays } = claims as Partial<EnvelopePayload>
  const isEnvelope = exp !== undefined && gracePeriodDays !== undefined
  return isEnvelope ? ENVELOPE_REFUSALS.expired(exp, gracePeriodDays) : `expired at ${until}`
}

export const command: Command = { usage, run: verify }
