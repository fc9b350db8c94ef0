// The relay process from start to stop. Each part lives in its own file; this one owns their order.
import { refusal } from '../config/read-environment.ts'
import type { RelaySettings } from '../config/relay-settings.ts'
import type { Logger } from '../platform/logger.ts'
import { relayApp } from './app.ts'
import { startChores } from './chores.ts'
import { readDevelopmentLicense } from './development.ts'
import { type Listener, listen } from './listen.ts'
import { openChannel } from './live/channel.ts'
import { thresholdWatch } from './local/metrics.ts'
import { standingOf } from './local/standing.ts'
import { openRelay } from './open.ts'
import { unsafePlaces } from './places.ts'
import { cleanUp } from './sync/clean-up.ts'
import { startSync } from './sync/engine.ts'
import { syncPass } from './sync/pass.ts'

export interface RunningRelay {
  port: number
  relayId: string
  upstream: string
  stop(): Promise<void>
}

/** Resolves once it listens. @throws StartError when it cannot start. */
export async function startRelay(settings: RelaySettings, log: Logger): Promise<RunningRelay> {
  const unsafe = unsafePlaces(settings)
  if (unsafe.length > 0) throw refusal(unsafe)
  if (settings.plainHttp) {
    log.warn({ host: settings.host }, 'INSECURE: other machines send their API keys in plain http')
  }
  const development =
    settings.developmentLicense === null ? null : readDevelopmentLicense(settings.developmentLicense)
  if (development) log.warn({ tier: development.tier }, 'DEVELOPMENT LICENSE configured: never in production')
  let stopping = false
  const relay = await openRelay({
    settings,
    log,
    onUpstream(away) {
      if (stopping) return
      channel.check()
      if (!away) sync.soon()
    },
    onSeat: () => void (front.upstream.isAway() === true || sync.soon()),
    onStale: () => sync.ask(),
    onOwn: (instanceId) => channel.owe(instanceId),
  })
  const { front, enrolment, leases, allotments } = relay
  const sync = startSync({
    times: settings,
    background: settings.backgroundSync,
    pass: () => syncPass({ relay, log, isStopping: () => stopping }),
    log,
    chance: Math.random,
    now: front.now,
  })
  const channel = openChannel({
    memory: front,
    enrolment,
    log,
    upstream: front.upstream,
    onHint: sync.soon,
    onOwed: sync.ask,
  })
  const standing = () =>
    standingOf({
      relayId: enrolment.relayId,
      fingerprint: relay.fingerprint,
      upstreamUrl: enrolment.upstream,
      upstream: front.upstream,
      isLive: channel.isOpen,
      sync,
      known: relay.list.known,
      front,
      leases,
      allotments,
      queue: front.queue,
      times: settings,
      sockets: channel.sockets.count,
      development,
      now: front.now,
    })
  const watch = thresholdWatch(log)
  const endChores = startChores({
    look: () => watch(standing()),
    clean: settings.cleanup ? () => cleanUp(relay, settings.failedMaxAge, log) : null,
    cleanupInterval: settings.cleanupInterval,
    log,
  })
  const { internalKey, publicUrl } = settings
  /** Who looks may meet a license that has grown stale. */
  const seen = () => {
    front.meet()
    return standing()
  }
  const overTls = publicUrl?.startsWith('https:') === true
  const local = { internalKey, overTls, standing: seen, sync, development }
  const app = relayApp({ front, local, standing, publicUrl, isStopping: () => stopping, log })

  async function end(listener: Listener | null): Promise<void> {
    stopping = true
    endChores()
    await channel.stop()
    await listener?.close()
    await sync.stop()
    relay.close()
  }
  const listener = await listen(app, channel.sockets, settings).catch(async (error: unknown) => {
    await end(null)
    throw error
  })
  sync.soon()
  return {
    port: listener.port,
    relayId: enrolment.relayId,
    upstream: enrolment.upstream,
    stop: () => end(listener),
  }
}
