// A relay in this process, beside a server in this process: real HTTP, real files, the real clock.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadRelaySettings } from '../../src/config/relay-settings.ts'
import type { Logger } from '../../src/platform/logger.ts'
import { enrolRelay } from '../../src/relay/enroll.ts'
import { openRelayKey, writeEnrolment } from '../../src/relay/identity.ts'
import { type RunningRelay, startRelay } from '../../src/relay/run.ts'
import { type Call, caller, type TestApp } from './app.ts'
import { freePort } from './leasehold-process.ts'
import { silentLog } from './silent-log.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const INTERNAL_KEY = 'internal-key-of-the-test-site'

export interface TestRelay {
  url: string
  folder: string
  relay: RunningRelay
  call: Call
  /** `call` with the internal API key. */
  local: Call
  stop(): Promise<void>
  /** The same relay again, on its folder. */
  again(env?: Record<string, string>): Promise<TestRelay>
}

export interface TestRelayOptions {
  env?: Record<string, string>
  folder?: string
  log?: Logger
  /** Where the vendor is reached: `app.url` unless something stands between. */
  upstream?: string
  /** `cus_…`: enrolled by the vendor for this customer. Without it, by hand, with a key that the vendor does not know. */
  customerId?: string
}

export async function startTestRelay(app: TestApp, options: TestRelayOptions = {}): Promise<TestRelay> {
  const folder = options.folder ?? join(await temporaryFolder('leasehold-test-relay-'), 'relay')
  const upstream = options.upstream ?? app.url
  if (options.folder === undefined && options.customerId !== undefined) {
    const made = await app.admin('POST', '/relays', { customer_id: options.customerId, name: 'Test site' })
    await enrolRelay({
      folder,
      upstream,
      code: made.body.enrolment_code,
      roots: [app.services.rootPublicKeyHex],
      issuer: app.services.settings.issuer,
      name: null,
      version: '0',
      timeout: 2000,
    })
  } else if (options.folder === undefined) {
    await openRelayKey(folder)
    await writeEnrolment(folder, {
      upstream,
      relayId: 'rly_00000000000000000000000000000001',
      relayKey: 'lrk_unknown-to-the-vendor-00000',
      issuer: app.services.settings.issuer,
      roots: [app.services.rootPublicKeyHex],
    })
  }
  const settings = loadRelaySettings({
    LEASEHOLD_RELAY_DIR: folder,
    PORT: String(await freePort()),
    SECRET_INTERNAL_API_KEY: INTERNAL_KEY,
    SYNC_TIMEOUT: '2000',
    SYNC_RETRY_DELAY: '50',
    LOG_LEVEL: 'silent',
    ...options.env,
  })
  const relay = await startRelay(settings, options.log ?? silentLog)
  const url = `http://127.0.0.1:${relay.port}`
  const call = caller(url)
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= relay.stop()
    return stopped
  }
  return {
    url,
    folder,
    relay,
    call,
    local: (method, path, more) =>
      caller(url, { documented: false })(method, path, {
        ...more,
        headers: { 'x-internal-api-key': INTERNAL_KEY, ...more?.headers },
      }),
    stop,
    async again(env = {}) {
      await stop()
      return startTestRelay(app, { ...options, folder, env: { ...options.env, ...env } })
    },
  }
}

export const removeRelay = ({ folder }: TestRelay): Promise<void> =>
  rm(join(folder, '..'), { recursive: true, force: true })
