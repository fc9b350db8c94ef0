// The offline activation of one run: makes requests, installs answers one after another, and finds those that another
// process has installed. Never throws.
import { judgeAnswer, readAnswerFile, verifyInstalled, writeAnswerFile } from '../activation/answer.ts'
import { makeRequest } from '../activation/request.ts'
import { closed, openShelf } from '../activation/shelf.ts'
import { isoOf } from '../explain/explain.ts'
import type { Host, HostStorage } from '../host/port.ts'
import type { ActivationResult } from '../public/activation.ts'
import { isSuperseded } from '../state/activation.ts'
import type { Activated, SdkState } from '../state/state.ts'
import { now } from '../time/clock.ts'
import type { Trust } from '../trust/trust.ts'
import type { Driver } from './driver.ts'

export interface OfflineActivation {
  /** From now on, files are kept there. */
  keepIn(storage: HostStorage): void
  /** The answer that is installed, if it is not the one that was found last. */
  found(): Promise<Activated | null>
  request(): Promise<string>
  install(text: string): Promise<ActivationResult>
}

export interface OfflinePort {
  host: Host
  trust: Trust
  driver(): Driver
  /** Resolves when the files of the data folder have been read, and what others have left there is known. */
  ready(): Promise<void>
}

export function openActivation({ host, trust, driver, ready }: OfflinePort): OfflineActivation {
  let shelf = openShelf(null)
  let last: string | null = null
  let installing: Promise<unknown> = Promise.resolve()

  async function install(text: string): Promise<ActivationResult> {
    await ready()
    const requests = await shelf.requests()
    const judged = await judgeAnswer(readAnswerFile(text), trust, requests, (activated) =>
      isSuperseded(driver().state(), activated),
    )
    if (!judged.ok) {
      host.log.warn(`Activation refused: ${judged.message}`)
      return judged
    }
    const { word, grant } = judged.activated
    last = writeAnswerFile(judged.file)
    const kept = await shelf.keepAnswer(last)
    await shelf.keepRequests(closed(requests, word.nonce))
    if (!kept) host.log.warn('The activation could not be kept: it holds while this process runs')
    driver().dispatch({ type: 'activation', activated: judged.activated })
    await driver().flush()
    return {
      ok: true,
      licenseId: grant.licenseId,
      tier: grant.tier,
      expiresAt: isoOf((grant.leaseExp ?? 0) * 1000),
      action: word.action === 'downgrade' ? 'downgrade' : 'none',
    }
  }

  return {
    keepIn(storage) {
      shelf = openShelf(storage)
    },
    async found() {
      const text = await shelf.answer()
      if (text === last) return null
      last = text
      return verifyInstalled(text, trust)
    },
    async request() {
      await ready()
      const { text, kept } = await makeRequest(shelf, factsOf(driver().state()), host.random)
      if (!kept) {
        host.log.warn('The request could not be kept: its answer installs while this process runs')
      }
      return text
    },
    install(text) {
      const installed = installing.then(() => install(text))
      installing = installed.catch(() => {})
      return installed
    },
  }
}

function factsOf({ config, action, time }: SdkState) {
  const { product, instanceId, licenseKey, version, hostname, fingerprint } = config
  return {
    product,
    instance_id: instanceId,
    created_at: isoOf(now(time)),
    action: action?.action ?? 'none',
    action_seq: action?.seq ?? null,
    server_version: version,
    ...(licenseKey === null ? {} : { license_key: licenseKey }),
    ...(hostname === null ? {} : { hostname }),
    ...(fingerprint === null ? {} : { fingerprint }),
  }
}
