// The start: reads what options and disk hold, verifies it, and tells the state. Bounded by the start's deadline outside.
import type { LicenseKeyUse } from '../../license/lease.ts'
import { type Disk, isInstanceId } from '../disk/disk.ts'
import { isInForce } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import type { Host } from '../host/port.ts'
import type { CheckedOptions } from '../options/check.ts'
import type { Opened } from '../state/events.ts'
import type { HeldLicenseKey, Role, SdkState } from '../state/state.ts'
import type { StoredState } from '../state/stored.ts'
import { nowSeconds } from '../time/clock.ts'
import type { Trust } from '../trust/trust.ts'
import { sha256Hex } from './hash.ts'

type Tried = Opened['tried'][number]

export interface OpenPort {
  host: Host
  options: CheckedOptions
  trust: Trust
  disk: Disk | null
  state(): SdkState
}

/** Everything but the instance id, which trust needs first. */
export async function openLicense(
  port: OpenPort,
  found: { instanceId: string; role: Role; stored: StoredState | null },
): Promise<Opened> {
  const { options, trust, disk } = port
  const { stored, role, instanceId } = found
  const tried: Tried[] = []
  const invalid: string[] = []
  const note = (step: Tried['step'], reason: string, detail?: string) => {
    tried.push({ step, outcome: reason, ...(detail === undefined ? {} : { detail }) })
    if (reason !== 'verified' && reason !== 'absent') invalid.push(reason)
  }
  for (const kept of [stored?.key_set, await disk?.rereadKeySet()]) if (kept) await trust.follow(kept)
  const now = () => nowSeconds(port.state().time)

  if (options.apiKey !== null && !isSendable(options.apiKey)) note('api_key', 'malformed')
  const fixed = await staticGrant(port, note)
  const standing =
    fixed &&
    isInForce(fixed, { rejections: stored?.rejections ?? {}, revokedKeys: new Map(), elapsed: 0, now: now() })
  let session: Grant | null = null
  if (disk && !standing) {
    const cached = await disk.loadCache(trust, role === 'leader')
    session = cached.grant
    tried.push({ step: 'cache', outcome: cached.outcome })
  }
  let envelope: Grant | null = null
  if (options.envelope !== null) {
    const verified = await trust.envelope(
      options.envelope,
      options.tenantId ?? undefined,
      options.community.tier,
    )
    if (verified.ok) envelope = verified.value.grant
    note('envelope', verified.ok ? 'verified' : verified.reason, verified.ok ? undefined : verified.detail)
  }
  const licenseKey = await heldLicenseKey(port, stored, now(), note)
  const credential = options.apiKey ?? options.licenseKey
  return {
    type: 'opened',
    instanceId,
    role,
    stored,
    slots: { static: fixed, session, envelope },
    licenseKey,
    invalid,
    tried,
    credential: credential === null ? null : await sha256Hex(credential),
  }
}

/** Whether a credential can stand in a header at all. */
export function isSendable(credential: string): boolean {
  return /^[\x21-\x7e]{1,1024}$/.test(credential)
}

/** The static token: from the option, then from the file. */
async function staticGrant(
  { host, options, trust }: OpenPort,
  note: (step: Tried['step'], reason: string, detail?: string) => void,
): Promise<Grant | null> {
  if (options.token !== null) {
    const verified = await trust.licenseJwt(options.token, 'static')
    note('token', verified.ok ? 'verified' : verified.reason)
    if (verified.ok) return verified.value
  }
  if (options.tokenFile === null) return null
  try {
    const text = await host.readFile(options.tokenFile)
    if (text === null) {
      note('token_file', 'absent')
      return null
    }
    const verified = await trust.licenseJwt(text.trim(), 'static')
    note('token_file', verified.ok ? 'verified' : verified.reason)
    return verified.ok ? verified.value : null
  } catch (error) {
    note('token_file', 'unreadable', error instanceof Error ? error.message : undefined)
    return null
  }
}

async function heldLicenseKey(
  { options, trust }: OpenPort,
  stored: StoredState | null,
  now: number,
  note: (step: Tried['step'], reason: string, detail?: string) => void,
): Promise<HeldLicenseKey | null> {
  if (options.licenseKey === null) return null
  const verified = await trust.licenseKey(options.licenseKey)
  if (!verified.ok) {
    note('license_key', verified.reason)
    return null
  }
  const hash = await sha256Hex(options.licenseKey)
  const known = stored?.key_use?.hash === hash ? stored.key_use : null
  const use: LicenseKeyUse = {
    firstUsedAt: known?.first_used_at ?? now,
    confirmedAt: known?.confirmed_at ?? null,
    graceDays: known?.grace_days ?? options.graceDays,
  }
  return { token: options.licenseKey, hash, ...verified.value, use }
}

/** Given by option, by the platform, by the file, or new. A follower takes the leader's. */
export async function findInstanceId(
  { host, options }: Pick<OpenPort, 'host' | 'options'>,
  disk: Disk | null,
  role: Role,
): Promise<string> {
  if (options.instanceId !== null) return options.instanceId
  const given = host.facts.instanceId
  if (given !== undefined) {
    if (isInstanceId(given)) return given
    host.log.warn('LEASEHOLD_INSTANCE_ID is not 1 to 255 printable characters: it is not used')
  }
  const kept = (await disk?.instanceId()) ?? null
  if (kept !== null) return kept
  if (role === 'follower' && disk) {
    for (let tries = 0; tries < 20; tries++) {
      await new Promise<void>((resolve) => host.timers.after(100, resolve))
      const written = await disk.instanceId()
      if (written !== null) return written
    }
  }
  const made = uuid(host)
  if (role === 'leader') await disk?.keepInstanceId(made)
  return made
}

/** UUID version 4 (RFC 9562) from the platform's random bytes. */
export function uuid(host: Host): string {
  const bytes = host.random(16)
  const hex = Array.from(bytes, (byte, i) => {
    const value = i === 6 ? (byte & 0x0f) | 0x40 : i === 8 ? (byte & 0x3f) | 0x80 : byte
    return value.toString(16).padStart(2, '0')
  }).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
