// The relay process from start to stop. Each part lives in its own file; this one owns their order.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { RelaySettings } from '../config/relay-settings.ts'
import type { Logger } from '../platform/logger.ts'
import { StartError } from '../platform/start-error.ts'
import { readDevelopmentLicense } from './development.ts'
import { serverFingerprint } from './fingerprint.ts'
import { mountFront, problem } from './front/app.ts'
import { mountPublicKeys } from './front/public-keys.ts'
import { instanceSockets } from './live/instance-sockets.ts'
import { passOn } from './live/pass-on.ts'
import { keepUpstreamSocket } from './live/upstream-socket.ts'
import { internalOnly, mountLocalApi } from './local/api.ts'
import { relayMetrics, thresholdWatch } from './local/metrics.ts'
import { mountPage } from './local/page.ts'
import { standingOf } from './local/standing.ts'
import { openRelay } from './open.ts'
import { cleanUp } from './sync/clean-up.ts'
import { startSync } from './sync/engine.ts'
import { paced } from './sync/paced.ts'
import { syncPass } from './sync/pass.ts'

/** However fast hints come, the vendor is asked no more often than this. */
const HINT_STEP_MS = 500

export interface RunningRelay {
  port: number
  relayId: string
  upstream: string
  stop(): Promise<void>
}

/** Resolves once it listens. @throws StartError when it cannot start. */
export async function startRelay(settings: RelaySettings, log: Logger): Promise<RunningRelay> {
  const development =
    settings.developmentLicense === null ? null : readDevelopmentLicense(settings.developmentLicense)
  if (development) log.warn({ tier: development.tier }, 'DEVELOPMENT LICENSE configured: never in production')
  let stopping = false
  const relay = await openRelay({
    settings,
    log,
    onUpstream(away) {
      if (stopping) return
      live.check()
      if (!away) sync.soon()
    },
    onSeat: () => void (front.upstream.isAway() === true || sync.soon()),
    onStale: () => sync.ask(),
  })
  const { front, enrolment, leases, allotments } = relay
  const pass = () => syncPass({ relay, log, isStopping: () => stopping })
  const sync = startSync({
    times: settings,
    background: settings.backgroundSync,
    pass,
    log,
    chance: Math.random,
    now: front.now,
  })
  const hinted = paced(HINT_STEP_MS, sync.soon)
  const sockets = instanceSockets(front)
  const hints = passOn(sockets)
  const live = keepUpstreamSocket({
    url: enrolment.upstream,
    relayKey: enrolment.relayKey,
    log,
    chance: Math.random,
    onEvent(event) {
      hints.event(event)
      if (event.type === 'keys.changed') void front.keys.refetch().catch(() => false)
      if (event.type !== 'action.changed') hinted()
    },
    onResync(event) {
      hints.resync(event)
      hinted()
    },
  })
  const standing = () =>
    standingOf({
      relayId: enrolment.relayId,
      fingerprint,
      upstreamUrl: enrolment.upstream,
      upstream: front.upstream,
      isLive: live.isOpen,
      sync,
      known: relay.list.known,
      front,
      leases,
      allotments,
      queue: front.queue,
      times: settings,
      sockets: sockets.count,
      development: development !== null,
      now: front.now,
    })
  const fingerprint = serverFingerprint()
  const watch = thresholdWatch(log)
  /** A disk that is full must not end the relay: what is in memory goes on. */
  const guarded = (work: () => unknown) => () => {
    void (async () => work())().catch((error: unknown) => log.error({ err: error }, 'a chore failed'))
  }
  const chores = setInterval(
    guarded(() => watch(standing())),
    60_000,
  )
  chores.unref()
  const cleaning = setInterval(
    guarded(() => settings.cleanup && cleanUp(relay, settings.failedMaxAge, log)),
    settings.cleanupInterval,
  )
  cleaning.unref()

  const app = new Hono()
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', (c) => {
    const ready = !stopping && front.keys.current() !== null
    return c.json(
      { status: ready ? 'ready' : 'not_ready', upstream: front.upstream.isAway() },
      ready ? 200 : 503,
    )
  })
  const metrics = relayMetrics(standing)
  app.get('/metrics', internalOnly(settings.internalKey), async (c) => {
    const { text, contentType } = await metrics()
    return c.text(text, 200, { 'Content-Type': contentType })
  })
  const seen = () => {
    front.meet()
    return standing()
  }
  const local = { internalKey: settings.internalKey, standing: seen, sync, development }
  mountLocalApi(app, local)
  mountPage(app, local)
  mountPublicKeys(app, front)
  mountFront(app, front, settings.publicUrl)
  app.notFound((c) => problem(c, 'not_found', 'There is nothing at this path.'))
  app.onError((error, c) => {
    log.error({ err: error }, 'request failed')
    return problem(c, 'internal_error', 'Something failed inside; the log of the relay tells more.')
  })

  const server = createAdaptorServer({ fetch: app.fetch }) as Server
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    sockets.upgrade(request, socket, head)
  })
  try {
    await listening(server, settings)
  } catch (error) {
    live.stop()
    await sync.stop()
    relay.close()
    throw error
  }
  sync.soon()
  return {
    port: (server.address() as AddressInfo).port,
    relayId: enrolment.relayId,
    upstream: enrolment.upstream,
    async stop() {
      stopping = true
      clearInterval(chores)
      clearInterval(cleaning)
      live.stop()
      sockets.close()
      server.close()
      server.closeIdleConnections()
      await Promise.race([once(server, 'close'), new Promise((done) => setTimeout(done, 5000).unref())])
      server.closeAllConnections()
      await sync.stop()
      relay.close()
    },
  }
}

function listening(server: Server, { host, port }: RelaySettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new StartError(
          `The relay cannot listen on ${host}, port ${port} (${error.code ?? 'unknown reason'}).`,
          'Set PORT and HOST to an address of this machine that is free.',
          { cause: error },
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
}
