// `leasehold mint` for one license.
import type { EnvelopePayload } from '../../contract/claims.ts'
import { fromUnixSeconds, rfc3339, unixSeconds } from '../../platform/time.ts'
import { type CommandIo, NotVerifiedError } from '../command.ts'
import { removeOrSay, writePrivately } from '../files.ts'
import { asUsage, checkOutput, type MintArguments, minterOf } from './arguments.ts'
import type { Minter } from './minter.ts'
import { envelopeOf, type GivenTerms } from './terms.ts'

export async function mintOne(given: MintArguments, io: CommandIo): Promise<void> {
  if (given.output !== undefined) await checkOutput(given.output, given)
  const payload = payloadOf(given.terms)
  const minter = await minterOf(given)
  const token = await minter.mint(payload)
  const fault = await minter.fault(token, payload)
  if (fault !== null) {
    if (given.output !== undefined) await removeOrSay(given.output, io)
    throw new NotVerifiedError(`VERIFY FAILED: ${fault}`)
  }
  // As the reference has it: the token alone, no line end.
  if (given.output !== undefined) await writePrivately(given.output, token, { overwrite: true })
  if (given.json) return io.out(`${JSON.stringify(summary(given, minter, payload, token))}\n`)
  if (given.verify) io.say('Verified with the public key.')
  io.say(
    `License ${payload.licenseId} for ${payload.tenantId}, until ${until(payload)}, then ${payload.gracePeriodDays} days of grace.`,
  )
  if (given.output === undefined) return io.out(`${token}\n`)
  io.say(`Wrote ${given.output}.`)
}

function payloadOf(terms: GivenTerms): EnvelopePayload {
  try {
    return envelopeOf(terms, unixSeconds(new Date()))
  } catch (error) {
    throw asUsage(error)
  }
}

function summary(given: MintArguments, { kid }: Minter, payload: EnvelopePayload, token: string): object {
  return {
    license_id: payload.licenseId,
    tenant: payload.tenantId,
    expires_at: until(payload),
    grace_days: payload.gracePeriodDays,
    limits: payload.limits,
    ...(payload.features && { features: payload.features }),
    ...(payload.tier && { tier: payload.tier }),
    ...(payload.instanceId && { instance: payload.instanceId }),
    signed_by: kid,
    verified: given.verify,
    ...(given.output === undefined ? { token } : { output: given.output }),
  }
}

const until = ({ exp }: EnvelopePayload) => rfc3339(fromUnixSeconds(exp))
