// The license service in a product: installs, validates again and shows the envelope of one tenant. Each install goes
// one way: verify, store, audit, load, which tells the change. Whatever fails on it, the product goes on.

import { ENVELOPE_REFUSALS } from '../../license/messages.ts'
import type { InstallSource } from '../enforce/audit.ts'
import { enforcedOf } from '../enforce/inside.ts'
import type { EnforcedLicense } from '../enforce/limits.ts'
import { standingOf } from '../enforce/standing.ts'
import { mayReplace } from '../grants/choose.ts'
import type { Grant } from '../grants/grant.ts'
import { within, wordsOf } from '../guard.ts'
import type { Installed } from '../state/events.ts'
import { chosenGrant } from '../state/view.ts'
import { now, nowSeconds } from '../time/clock.ts'
import { chooseAtBoot, judgeSources } from './boot.ts'
import { keepValidating } from './schedule.ts'
import { openShelf } from './shelf.ts'
import { type LicenseBody, type ShownEnvelope, showEnvelope, type UsageBody, usageBody } from './shown.ts'
import { fileStore, type InstalledLicense, type LicenseStore } from './store.ts'
import { type Genuine, type Judged, judge, type Refused } from './verify.ts'

export interface LicenseServiceOptions {
  /** The tenant that a license must name. */
  tenantId: string
  /** First source at the start, usually from the environment; blank is none. */
  token?: string | undefined
  /** Second source: a file. */
  tokenFile?: string | undefined
  /** Third source, and where each install is kept; a string is a folder for a private file. */
  store: LicenseStore | string
}

export type InstallResult =
  | { ok: true; state: LicenseBody['state']; envelope: ShownEnvelope }
  /** 400: the license was refused. 503: it is good and could not be stored. */
  | { ok: false; status: 400 | 503; error: string }

export interface LicenseService {
  /** Never rejects. `by` is the admin's name. */
  install(token: string, by: string): Promise<InstallResult>
  /** Validates what is installed against the keys and the clock of now. Never rejects. */
  revalidate(): Promise<void>
  current(): LicenseBody
  usage(): Promise<UsageBody>
  /** Seconds since the installed license was last found good; null where none is. */
  lastValidatedAge(): number | null
  /** Ends its timers; the license itself goes on. */
  stop(): void
}

/** How long the start may wait for the store, milliseconds. */
const BOOT_WITHIN = 10_000
const SYSTEM = 'system'

/**
 * Reads the sources in their order, and resolves when one is in force or none is. @throws TypeError for a programmer's
 * mistake alone: a license without `enforceLimits`, no tenant, no store
 */
export async function openLicenseService<F extends string, L extends string, D>(
  license: EnforcedLicense<F, L, D>,
  { tenantId, token, tokenFile, store: given }: LicenseServiceOptions,
): Promise<LicenseService> {
  const inside = enforcedOf(license)
  const { driver, host, audit } = inside
  if (typeof tenantId !== 'string' || tenantId.trim() === '') throw new TypeError('tenantId is required')
  if (!given) throw new TypeError('store is required: a LicenseStore, or a folder')
  const store = typeof given === 'string' ? fileStore(given, host) : given
  let installed: { genuine: Genuine | null; row: InstalledLicense } | null = null
  /** In force, and not in the store: its token, until a later write succeeds. */
  let unsaved: string | null = null
  let lastRefusal: string | null = null
  let staleReason: string | null = null
  let queue: Promise<unknown> = Promise.resolve()

  const state = () => driver.state()
  const time = () => new Date(now(state().time)).toISOString()
  const shelf = openShelf(store, tenantId, host, time)
  const isInForce = () => chosenGrant(state()) !== null

  /** One at a time: the newest install is the last one that was asked for. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work)
    queue = result.catch(() => {})
    return result
  }

  function dispatch(
    why: string,
    outcome: string,
    detail: string,
    patch: Pick<Installed, 'envelope' | 'fault'>,
  ): void {
    driver.dispatch({ type: 'installed', why, tried: { outcome, detail }, ...patch })
  }

  function load(genuine: Genuine, row: InstalledLicense, source: InstallSource): void {
    installed = { genuine, row }
    staleReason = null
    dispatch('a license was installed', 'verified', `from ${source}`, {
      envelope: genuine.grant,
      fault: null,
    })
  }

  async function auditInstall(
    row: InstalledLicense,
    source: InstallSource,
    previous: InstalledLicense | null,
  ): Promise<void> {
    const { licenseId, expiresAt, installedBy } = row
    const details = { licenseId, expiresAt, installedBy, source }
    if (!previous) await audit({ action: 'install_license', actor: installedBy, details })
    else {
      const previousLicenseId = previous.licenseId
      await audit({
        action: 'replace_license',
        actor: installedBy,
        details: { ...details, previousLicenseId },
      })
    }
  }

  /** With a license in force it stays, else the state is INVALID; told, audited and shown either way. */
  async function reject(
    judged: Refused,
    by: string,
    source: InstallSource,
    isAlone?: boolean,
  ): Promise<void> {
    const { reason, message } = judged
    host.log.warn(`A license was refused (${source}): ${message}`)
    await audit({ action: 'reject_license', actor: by, details: { reason: message, source } })
    lastRefusal = message
    const fault = (isAlone ?? !isInForce()) ? { fault: { reason, message } } : {}
    dispatch('a license was refused', reason, `${message} (from ${source})`, fault)
  }

  async function install(text: string, by: string): Promise<InstallResult> {
    const judged = await judgeNew(text)
    if (judged.verdict !== 'good') {
      await reject(judged, by, 'api')
      return { ok: false, status: 400, error: judged.message }
    }
    const { genuine } = judged
    const row = shelf.rowOf(genuine, by)
    if (!(await shelf.keep(row))) return { ok: false, status: 503, error: 'the license could not be stored' }
    unsaved = null
    await auditInstall(row, 'api', installed?.row ?? null)
    lastRefusal = null
    load(genuine, row, 'api')
    return { ok: true, state: state().view.state, envelope: showEnvelope(genuine.claims) }
  }

  /** No grant replaces one of its license that was issued later (T3). */
  async function judgeNew(text: string): Promise<Judged> {
    const judged = await judge(inside, text, tenantId)
    const current = laterInForce(judged)
    if (judged.verdict !== 'good' || !current) return judged
    return { verdict: 'bad', reason: 'older', message: ENVELOPE_REFUSALS.older(current.issuedAt) }
  }

  /** The grant of the same license that is in force and was issued later; null where it may be replaced. */
  function laterInForce(judged: Judged): Grant | null {
    const current = state().slots.envelope
    if (judged.verdict !== 'good' || !current || judged.genuine.grant.licenseId !== current.licenseId)
      return null
    return mayReplace(current, judged.genuine.grant, nowSeconds(state().time)) ? null : current
  }

  async function boot(): Promise<void> {
    const row = await shelf.read()
    const { chosen, ended, refused } = chooseAtBoot(
      await judgeSources(inside, { tenantId, token, tokenFile }, row),
    )
    if (row) installed = { genuine: null, row }
    const isAlone = !chosen && !ended && !isInForce()
    for (const { source, judged } of refused) await reject(judged, SYSTEM, source, isAlone)
    if (chosen) await take(chosen.genuine, chosen.source, row)
    else if (ended) keepEnded(ended.genuine, row, ended.source)
  }

  /** What is stored already was installed before. */
  async function take(genuine: Genuine, source: InstallSource, row: InstalledLicense | null): Promise<void> {
    if (row?.token === genuine.token) {
      load(genuine, await shelf.touch(row), source)
      return
    }
    const fresh = shelf.rowOf(genuine, SYSTEM)
    if (!(await shelf.keep(fresh))) unsaved = fresh.token
    await auditInstall(fresh, source, row)
    load(genuine, fresh, source)
  }

  /** Its dates or the server's word say what the state is: EXPIRED, or INVALID where it was taken back. */
  function keepEnded(genuine: Genuine, row: InstalledLicense | null, source: InstallSource): void {
    installed = {
      genuine,
      row: row?.token === genuine.token ? row : { ...shelf.rowOf(genuine, SYSTEM), lastValidatedAt: null },
    }
    dispatch('the license has ended', 'expired', `from ${source}`, { envelope: genuine.grant, fault: null })
  }

  async function revalidate(): Promise<void> {
    const row = await rowToJudge()
    if (!row) return
    const judged = await judge(inside, row.token, tenantId)
    if (judged.verdict === 'good') {
      // An older one of the same license, brought back into the store by a backup or by hand.
      if (laterInForce(judged)) return
      load(judged.genuine, await shelf.touch(row), 'db')
      return
    }
    unsaved = null
    const { reason, message } = judged
    host.log.warn(`The installed license is not good any more: ${message}`)
    await audit({
      action: 'revalidate_license',
      actor: SYSTEM,
      details: { licenseId: row.licenseId, reason: message },
    })
    if (judged.verdict === 'ended') return keepEnded(judged.genuine, row, 'db')
    installed = { genuine: null, row }
    staleReason = message
    dispatch('the license was validated again', reason, message, {
      envelope: null,
      fault: { reason, message },
    })
  }

  /** What is stored, or, where the store does not have what is in force, that: and it gets it now. */
  async function rowToJudge(): Promise<InstalledLicense | null> {
    const stored = await shelf.read()
    const own = installed?.row ?? null
    if (!own || own.token !== unsaved) return stored ?? own
    // Installed by another process since: that one counts.
    const isLater = stored !== null && Date.parse(stored.installedAt) > Date.parse(own.installedAt)
    if (isLater || (await shelf.keep(own))) unsaved = null
    return isLater ? stored : own
  }

  /** Another process may have installed one. */
  async function look(): Promise<void> {
    if (unsaved !== null) return void (await rowToJudge())
    const row = await shelf.read()
    if (!row || row.token === installed?.row.token) return
    const judged = await judge(inside, row.token, tenantId)
    if (judged.verdict === 'good' && !laterInForce(judged)) load(judged.genuine, row, 'db')
  }

  await within(
    inTurn(boot).catch((error: unknown) =>
      host.log.error(`The license service could not start: ${wordsOf(error)}`),
    ),
    BOOT_WITHIN,
    host.timers,
  )
  const guarded = (work: () => Promise<void>) => () =>
    inTurn(work).catch((error: unknown) => host.log.error(`The license service: ${wordsOf(error)}`))
  const stop = keepValidating(host, { revalidate: guarded(revalidate), look: guarded(look) })
  const validated = () => {
    const at = installed?.row.lastValidatedAt
    return at ? { lastValidatedAt: at } : {}
  }

  return {
    install: (text, by) =>
      inTurn(() => install(typeof text === 'string' ? text.trim() : '', by)).catch((error: unknown) => {
        host.log.error(`A license could not be installed: ${wordsOf(error)}`)
        return { ok: false, status: 503, error: 'the license could not be installed' }
      }),
    revalidate: guarded(revalidate),
    current() {
      driver.dispatch({ type: 'tick' })
      const { state: name, invalidReason = null } = standingOf(state())
      const claims = installed?.genuine?.claims
      return {
        state: name,
        invalidReason: invalidReason ?? staleReason ?? lastRefusal,
        envelope: claims ? showEnvelope(claims) : null,
        ...validated(),
      }
    },
    async usage() {
      const used = await inside.usage()
      driver.dispatch({ type: 'tick' })
      const body = usageBody(state(), inside.limits(), used, installed?.genuine ?? null)
      const { message, limits, ...head } = body
      return { ...head, ...validated(), message, limits }
    },
    lastValidatedAge() {
      const at = installed?.row.lastValidatedAt
      return at ? Math.max(0, (now(state().time) - Date.parse(at)) / 1000) : null
    },
    stop,
  }
}
