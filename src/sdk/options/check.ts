// Checks the options and completes them: a programmer's mistakes, all of them at once. What a customer may have typed
// (credentials, tokens) is no programmer's mistake and is judged later.

import { isInstanceId } from '../disk/disk.ts'
import { fromOptions } from '../grants/grant.ts'
import type { HostLog } from '../host/port.ts'
import type { LicenseOptions, NumbersCallback, TrustOptions } from '../options.ts'
import type { Config } from '../state/config.ts'
import { parseAllowedUrl } from '../wire/url.ts'
import { LicenseOptionsError } from './error.ts'
import { checkRights, checkTrust, isObject, type Mistakes } from './parts.ts'

export interface CheckedOptions
  extends Omit<Config, 'instanceId' | 'bootId' | 'hostname' | 'os' | 'arch' | 'issuer' | 'directives'> {
  trust: TrustOptions
  instanceId: string | null
  token: string | null
  tokenFile: string | null
  envelope: string | null
  tenantId: string | null
  /** `false`: memory only. */
  dataDir: string | undefined | false
  telemetry: NumbersCallback | false
  usage: NumbersCallback | null
  connectTimeout: number
  log: HostLog | null
}

const MINUTE = 60_000
const DAY = 1440 * MINUTE

/** @throws LicenseOptionsError with every mistake. */
export function checkOptions(given: LicenseOptions): CheckedOptions {
  const mistakes: Mistakes = []
  const options: Record<string, unknown> = isObject(given) ? { ...given } : {}
  if (!isObject(given)) mistakes.push('options must be an object')

  const words = (name: string, pattern: RegExp, says: string) => {
    const value = options[name]
    if (typeof value !== 'string' || !pattern.test(value)) mistakes.push(`${name} must be ${says}`)
    return typeof value === 'string' ? value : ''
  }
  /** Blank is not given: an environment variable that was not set. */
  const maybe = (name: string): string | null => {
    const value = options[name]
    if (value === undefined || value === null) return null
    if (typeof value !== 'string') mistakes.push(`${name} must be a string`)
    else if (value.trim() !== '') return value.trim()
    return null
  }
  const number = (name: string, otherwise: number, least: number, most: number) => {
    const value = options[name] ?? otherwise
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
    mistakes.push(`${name} must be a whole number from ${least} to ${most}`)
    return otherwise
  }
  const callback = (name: string): NumbersCallback | null => {
    const value = options[name]
    if (value === undefined || value === null || value === false) return null
    if (typeof value === 'function') return value as NumbersCallback
    mistakes.push(`${name} must be a function${name === 'telemetry' ? ' or false' : ''}`)
    return null
  }

  const product = words('product', /^[a-z0-9][a-z0-9._-]{0,63}$/, 'a product code: [a-z0-9][a-z0-9._-]{0,63}')
  const version = words('version', /^[^\0]{1,100}$/, '1 to 100 characters')
  const allowInsecure = options.allowInsecure ?? false
  if (typeof allowInsecure !== 'boolean') mistakes.push('allowInsecure must be true or false')
  const sync = options.sync ?? true
  if (typeof sync !== 'boolean') mistakes.push('sync must be true or false')
  const apiKey = maybe('apiKey')
  const licenseKey = maybe('licenseKey')
  const serverUrl = checkServer(maybe('serverUrl'), allowInsecure === true, mistakes)
  if (apiKey !== null && options.serverUrl === undefined) mistakes.push('apiKey needs serverUrl')
  const instanceId = maybe('instanceId')
  if (instanceId !== null && !isInstanceId(instanceId)) {
    mistakes.push('instanceId must be 1 to 255 printable characters')
  }
  const fingerprint = maybe('fingerprint')
  if (fingerprint !== null && fingerprint.length > 256)
    mistakes.push('fingerprint must be at most 256 characters')
  const clockPolicy = options.clockPolicy ?? 'floor'
  if (!isClockPolicy(clockPolicy)) mistakes.push('clockPolicy must be warn, floor or deny')
  const dataDir = options.dataDir === false ? false : (maybe('dataDir') ?? undefined)
  const { log } = options
  if (log !== undefined && !isLog(log)) mistakes.push('log must have the functions info, warn and error')

  const trust = checkTrust(options.trust, options.serverUrl === undefined, mistakes)
  const community = checkRights('community', options.community, mistakes)
  const tiers = checkTiers(options.tiers, mistakes)
  const checked: CheckedOptions = {
    product,
    version,
    serverUrl,
    trust,
    apiKey,
    licenseKey,
    token: maybe('token'),
    tokenFile: maybe('tokenFile'),
    envelope: maybe('envelope'),
    tenantId: maybe('tenantId'),
    instanceId,
    dataDir,
    fingerprint,
    allowInsecure: allowInsecure === true,
    sync: sync === true,
    telemetry: callback('telemetry') ?? false,
    usage: callback('usage'),
    community: {
      tier: nameOf(options.community) ?? 'community',
      features: community.features ?? [],
      limits: fromOptions(community.limits ?? {}),
    },
    tiers,
    connectTimeout: number('connectTimeout', 10_000, 100, MINUTE),
    refreshInterval: number('refreshInterval', DAY, 5 * MINUTE, 30 * DAY),
    heartbeatInterval: number('heartbeatInterval', DAY / 4, 5 * MINUTE, DAY),
    graceDays: number('graceDays', 30, 0, 3650),
    clockPolicy: isClockPolicy(clockPolicy) ? clockPolicy : 'floor',
    log: isLog(log) ? log : null,
  }
  if (mistakes.length > 0) throw new LicenseOptionsError(mistakes)
  return checked
}

function checkServer(text: string | null, allowInsecure: boolean, mistakes: Mistakes): string | null {
  if (text === null) return null
  const url = parseAllowedUrl(text, allowInsecure)
  if (url && url.search === '' && url.hash === '') return url.href.replace(/\/+$/, '')
  mistakes.push('serverUrl must be an https address (plain http only on loopback, or with allowInsecure)')
  return null
}

function checkTiers(value: unknown, mistakes: Mistakes): CheckedOptions['tiers'] {
  if (value === undefined) return {}
  if (!isObject(value)) {
    mistakes.push('tiers must be an object of tiers by name')
    return {}
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, tier]) => [name, checkRights(`tiers.${name}`, tier, mistakes)]),
  )
}

function nameOf(community: unknown): string | null {
  return isObject(community) && typeof community.tier === 'string' ? community.tier : null
}

function isClockPolicy(value: unknown): value is Config['clockPolicy'] {
  return value === 'warn' || value === 'floor' || value === 'deny'
}

function isLog(value: unknown): value is HostLog {
  return isObject(value) && ['info', 'warn', 'error'].every((level) => typeof value[level] === 'function')
}
