// The rows of the server itself.
import type { Request } from '../load/request.ts'
import { openHeartbeats } from './anchor-rows.ts'
import { fewMetrics, heartbeatBody, manyMetrics, newStreams, type Streams, smallCounters } from './bodies.ts'
import { type HotFleet, OPEN, TOKEN, UNLICENSED } from './fleet.ts'
import { seatRows } from './seat-rows.ts'
import { anyOf, once, repeating, type Workload } from './workload.ts'

const HEARTBEAT = '/api/v1/instances/heartbeat'
const REFRESH = '/api/v1/licenses/refresh'
const REPORTS = 100

export function ownRows(fleet: HotFleet): Workload[] {
  const { instances, activated } = fleet
  const streams = { open: newStreams(), none: newStreams(), token: newStreams(), batch: newStreams() }
  const own = { target: 'own', most: 12_000 } as const
  const any =
    <T>(make: (instance: number) => T) =>
    (count: number) =>
      Array.from({ length: count }, () => make(anyOf(instances)))
  return [
    {
      ...own,
      id: 'heartbeat',
      title: 'heartbeat, licensed, open product',
      expects: '"entitlement_token":"',
      list: (count) => once(openHeartbeats(HEARTBEAT, streams.open, instances, count)),
    },
    {
      ...own,
      id: 'heartbeat-token',
      title: 'heartbeat, licensed, instance token',
      expects: '"entitlement_token":"',
      list: (count) => once(any((i) => tokenHeartbeat(activated[i], streams.token, i, fewOf))(count)),
    },
    {
      ...own,
      id: 'heartbeat-none',
      title: 'heartbeat, no license',
      expects: '"status":"ok"',
      list: (count) => once(any((i) => strangersHeartbeat(streams.none, i))(count)),
    },
    {
      ...own,
      id: 'exchange',
      title: 'exchange',
      expects: '"jwt":"eyJ',
      list: (count) => repeating(any((i) => exchange(fleet, i))(Math.min(count, 20_000))),
    },
    {
      ...own,
      id: 'refresh',
      title: 'refresh',
      expects: '"jwt":"eyJ',
      list: (count) => once(any((i) => refresh(activated[i], streams.token, i, smallCounters))(count)),
    },
    ...seatRows(fleet),
    {
      ...own,
      id: 'telemetry',
      title: `telemetry, ${REPORTS} a batch (reports/s)`,
      most: 1_000,
      unitsPerRequest: REPORTS,
      expects: `"accepted":${REPORTS}`,
      list: (count) => once(any((i) => telemetry(activated[i], streams.batch, i))(count)),
    },
    reading('signing-key', `/api/v1/signing-key?product=${OPEN}`, '"public_key":"'),
    reading('jwks', '/.well-known/jwks.json', '"keys":['),
    reading('healthz', '/healthz', '"ok"'),
    {
      id: 'own-echo',
      title: 'echo of the heartbeat, our middleware',
      target: 'own-echo',
      most: 5_000,
      expects: '"seq":',
      list: (count) => repeating(openHeartbeats('/api/v1/bench/echo', streams.open, instances, count)),
    },
  ]
}

/** One heartbeat, or one refresh, of each instance: all that one report may carry. In random order. */
export function fullRound(fleet: HotFleet, streams: Streams, kind: 'heartbeat' | 'refresh'): Request[] {
  const order = fleet.activated.map((_, i) => ({ i, at: Math.random() })).sort((a, b) => a.at - b.at)
  const make = kind === 'heartbeat' ? tokenHeartbeat : refresh
  return order.map(({ i }) => make(fleet.activated[i], streams, i, manyMetrics))
}

type Known = HotFleet['activated'][number] | undefined

const fewOf = (seq: number) => fewMetrics(seq, true)

const reading = (id: string, path: string, expects: string): Workload => ({
  id,
  title: path.replace(/\?.*/, ''),
  target: 'own',
  most: 1,
  expects,
  list: () =>
    repeating([
      { method: 'GET', path },
      { method: 'GET', path },
    ]),
})

function tokenHeartbeat(
  known: Known,
  streams: Streams,
  i: number,
  metrics: (seq: number) => string,
): Request {
  const seq = streams.take(i)
  const body = heartbeatBody({
    product: TOKEN,
    instanceId: known?.instanceId ?? '',
    licensed: true,
    bootId: streams.bootId,
    seq,
    metrics: metrics(seq),
  })
  const chained = `${body.slice(0, -1)},"refresh_token":"${known?.refreshToken}"}`
  return { method: 'POST', path: HEARTBEAT, headers: bearer(known?.instanceToken), body: chained }
}

function strangersHeartbeat(streams: Streams, i: number): Request {
  const seq = streams.take(i)
  const body = heartbeatBody({
    product: OPEN,
    instanceId: `${UNLICENSED}${i}`,
    licensed: false,
    bootId: streams.bootId,
    seq,
    metrics: fewMetrics(seq, false),
  })
  return { method: 'POST', path: HEARTBEAT, body }
}

function exchange({ activated, tokenLicenses }: HotFleet, i: number): Request {
  const known = activated[i]
  const body =
    `{"instance_id":"${known?.instanceId}","version":"1.4.0","instance_token":"${known?.instanceToken}",` +
    `"refresh_token":"${known?.refreshToken}"}`
  const key = tokenLicenses[known?.license ?? 0]?.apiKey
  return { method: 'POST', path: '/api/v1/licenses/token', headers: bearer(key), body }
}

function refresh(known: Known, streams: Streams, i: number, metrics: (seq: number) => string): Request {
  const seq = streams.take(i)
  const body =
    `{"instance_id":"${known?.instanceId}","version":"1.4.0","uptime_hours":${seq},` +
    `"telemetry":{${metrics(seq)}},"instance_token":"${known?.instanceToken}",` +
    `"refresh_token":"${known?.refreshToken}","boot_id":"${streams.bootId}","seq":${seq}}`
  return { method: 'POST', path: REFRESH, headers: bearer(known?.jwt), body }
}

function telemetry(known: Known, streams: Streams, i: number): Request {
  const first = streams.take(i, REPORTS)
  const at = new Date().toISOString()
  const reports = Array.from(
    { length: REPORTS },
    (_, n) =>
      `{"instance_id":"${known?.instanceId}","boot_id":"${streams.bootId}","seq":${first + n},` +
      `"observed_at":"${at}","metrics":{${smallCounters(first + n)}}}`,
  )
  const body = `{"reports":[${reports.join(',')}]}`
  return { method: 'POST', path: '/api/v1/telemetry', headers: bearer(known?.instanceToken), body }
}

const bearer = (credential: string | undefined) => ({ Authorization: `Bearer ${credential}` })
