// startLicense: options in, a License out, within the connect timeout whatever network and disk do.

import { within } from './guard.ts'
import type { Host } from './host/port.ts'
import { type CheckedOptions, checkOptions } from './options/check.ts'
import { LicenseOptionsError } from './options/error.ts'
import type { LicenseOptions } from './options.ts'
import type { License } from './public/license.ts'
import { type Driver, drive } from './runtime/driver.ts'
import { openGates } from './runtime/gates.ts'
import { keepInside } from './runtime/inside.ts'
import { licenseOver, openListeners } from './runtime/license.ts'
import { isSendable, uuid } from './runtime/open.ts'
import { guardHost } from './runtime/platform.ts'
import { openSession } from './runtime/session.ts'
import type { Config } from './state/config.ts'
import { initialState } from './state/state.ts'
import { openChannel } from './sync/channel.ts'
import { nowSeconds } from './time/clock.ts'
import { openTrust, type Trust, type TrustPort } from './trust/trust.ts'
import { openReporter } from './wire/report.ts'
import { sendHttp } from './wire/send.ts'

/** Requests that one call may wait for, each with a key set to fetch: in flight, license, heartbeat, and room. */
const LONGEST_ASKING = 8

/**
 * Starts the runtime on a platform. Resolves to a working License whatever network, disk, server and license do: within
 * `connectTimeout`, in community tier if need be. @throws LicenseOptionsError for a programmer's mistake alone
 */
export async function startLicenseOn<F extends string = string, L extends string = string>(
  platform: Host,
  given: LicenseOptions<F, L>,
): Promise<License<F, L>> {
  const options = checkOptions(given)
  const host = guardHost(platform, options.log)
  const at = { wall: host.clock.wall(), mono: host.clock.monotonic() }
  const [a = 0, b = 0, c = 0, d = 0] = host.random(4)
  const first = initialState(configOf(options, host), at, a | (b << 8) | (c << 16) | (d << 24))
  const gates = openGates(first.view)
  const listeners = openListeners(host.log)
  let instanceId = first.config.instanceId
  let driver: Driver | null = null
  const running = (): Driver => {
    if (driver === null) throw new Error('the license runtime is not running yet')
    return driver
  }
  const trust = await openTrustOf(options, {
    issuer: options.trust.issuer,
    product: options.product,
    instanceId: () => instanceId,
    now: () => nowSeconds(driver?.state().time ?? first.time),
    monotonic: () => host.clock.monotonic(),
    fetchKeySet: () => fetchKeySet(host, options),
    onRevoked: (kids) => driver?.dispatch({ type: 'keys_revoked', kids }),
    onKeySet: () => driver?.dispatch({ type: 'key_set' }),
  })
  const reporter = openReporter({
    telemetry: options.telemetry,
    usage: options.usage,
    state: () => running().state(),
    usedFeatures: gates.usedFeatures,
    after: (ms, work) => host.timers.after(ms, work),
    onLoss: (which, why) =>
      host.log.warn(`The ${which} callback failed, so this report goes without: ${why}`),
  })
  const session = openSession({
    host,
    options,
    trust,
    gates,
    reporter,
    driver: running,
    onInstanceId(id) {
      instanceId = id
    },
  })
  const channel = openChannel({
    host,
    state: () => running().state(),
    hint: (want, isFirst) => driver?.dispatch({ type: 'hinted', want, first: isFirst }),
  })
  driver = drive(first, {
    host,
    gates,
    trust: () => trust,
    ...session,
    onChange: listeners.tell,
    onState: channel.follow,
  })
  const cancelDeadline = host.timers.after(options.connectTimeout, () =>
    driver?.dispatch({ type: 'start_deadline' }),
  )
  session.open()
  await driver.settled
  cancelDeadline()
  const license = licenseOver(
    {
      driver,
      gates,
      log: host.log,
      reporter,
      channel,
      trust: () => trust,
      storage: session.storage,
      lookAfter: session.look,
      within: (work) => within(work, LONGEST_ASKING * options.connectTimeout, host.timers),
      activation: session.activation,
      pickUp: session.pickUp,
      stop: session.stop,
    },
    listeners,
  )
  keepInside(license, { driver, host, trust })
  return license
}

function configOf(options: CheckedOptions, host: Host): Config {
  const { product, version, serverUrl, community, tiers, graceDays, clockPolicy, allowInsecure, sync } =
    options
  const { refreshInterval, heartbeatInterval, fingerprint, licenseKey, trust } = options
  const { hostname, os, arch } = host.facts
  return {
    product,
    version,
    serverUrl,
    issuer: trust.issuer,
    directives: directivesUnder(trust),
    // Until the disk was read.
    instanceId: options.instanceId ?? uuid(host),
    bootId: uuid(host),
    apiKey: options.apiKey !== null && isSendable(options.apiKey) ? options.apiKey : null,
    licenseKey,
    community,
    tiers,
    refreshInterval,
    heartbeatInterval,
    graceDays,
    clockPolicy,
    allowInsecure,
    sync,
    fingerprint,
    hostname: hostname ?? null,
    os: os ?? null,
    arch: arch ?? null,
  }
}

function directivesUnder({ roots, keys = [] }: CheckedOptions['trust']): Config['directives'] {
  if (roots.length > 0) return 'key_set'
  return keys.some(({ use }) => use === 'control') ? 'pinned_keys' : 'none'
}

async function openTrustOf(options: CheckedOptions, port: TrustPort): Promise<Trust> {
  try {
    return await openTrust(options.trust, port)
  } catch (error) {
    throw new LicenseOptionsError([error instanceof Error ? error.message : String(error)])
  }
}

async function fetchKeySet(
  host: Host,
  { serverUrl, connectTimeout }: CheckedOptions,
): Promise<string | null> {
  if (serverUrl === null) return null
  const url = `${serverUrl}/.well-known/leasehold-keys`
  const result = await sendHttp(host, {
    method: 'GET',
    url,
    bearer: null,
    body: null,
    timeout: connectTimeout,
  })
  return result.ok && result.status === 200 ? result.text.trim() : null
}
