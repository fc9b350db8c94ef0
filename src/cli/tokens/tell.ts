// Tells a reader what became of a token: first whether it was verified, then what it says.

import { StartError } from '../../platform/start-error.ts'
import { fromUnixSeconds, rfc3339, unixSeconds } from '../../platform/time.ts'
import type { CommandIo } from '../command.ts'
import { contentOrInput } from '../files.ts'
import { pairs, printable } from '../table.ts'
import { type Checked, checkToken } from './check.ts'
import { type Description, describe } from './describe.ts'
import { type Recognised, recognise } from './recognise.ts'
import type { TokenArguments } from './trust.ts'

/** What was given is none of the objects that this command knows. */
export class UnknownToken extends StartError {}

export interface Told {
  checked: Checked
  description: Description
  /** Verified, and in time. */
  validNow: boolean
}

/** Reads the token, checks it with what is trusted, and tells. @throws UnknownToken */
export async function tell(trust: TokenArguments, io: CommandIo): Promise<Told> {
  const found = recognise(await contentOrInput(trust.file, io))
  if (!found) {
    throw new UnknownToken(
      `${trust.file === '-' ? 'Standard input' : trust.file} holds no license JWT, license key, entitlement token, envelope, directive, offline answer, allotment, relay lease or key set.`,
      'Give the token alone, whole and unchanged: an envelope is base64 with padding, the others are base64url.',
    )
  }
  const now = unixSeconds(new Date())
  const checked = await checkToken(found, trust, now)
  const description = describe(found, now)
  const inTime = description.state === 'ACTIVE' || description.state === 'GRACE'
  const told = { checked, description, validNow: checked.verdict === 'verified' && inTime }
  if (trust.json) io.out(`${JSON.stringify(asJson(found, told))}\n`)
  else io.out(asText(found, told, now, io))
  return told
}

function asJson(found: Recognised, { checked, description, validNow }: Told): object {
  const verified = checked.verdict === 'verified'
  return {
    verified,
    ...(!verified && { reason: checked.reason }),
    kind: found.kind,
    ...(found.typ !== null && { typ: found.typ }),
    // Without a signature there is no word on who did.
    signed_by: verified ? checked.kid : null,
    ...(verified && { not_compared: checked.notCompared }),
    valid_now: verified ? validNow : null,
    state_by_its_dates: description.state,
    until: description.until,
    grace_until: description.graceUntil,
    claims: verified ? checked.claims : found.payload,
  }
}

function asText(found: Recognised, { checked, description }: Told, now: number, io: CommandIo): string {
  const { rows, note } = description
  const said = pairs(
    [['kind', found.kind], ...signer(found, checked), ...rows, ...duration(description, now)],
    io,
  )
  const last = note === null ? '' : `${note}\n`
  if (checked.verdict === 'verified') return `Verified: signed by the key ${checked.kid}.\n${said}${last}`
  const why = printable(checked.reason)
  return `NOT VERIFIED: ${why}. What follows is the token's own word.\n${said}${last}`
}

function signer({ kid }: Recognised, checked: Checked): [string, string][] {
  if (checked.verdict !== 'verified') return [['claims key', kid ?? 'none: this kind names no key']]
  return checked.notCompared.length === 0 ? [] : [['not compared', checked.notCompared.join(', ')]]
}

function duration({ state, until, graceUntil }: Description, now: number): [string, string][] {
  const rows: [string, string][] = [['until', until ?? (state === null ? 'not said' : 'for ever')]]
  if (graceUntil !== null) rows.push(['grace until', graceUntil])
  if (state !== null) rows.push(['by its dates', `${state} at ${rfc3339(fromUnixSeconds(now))}`])
  return rows
}
