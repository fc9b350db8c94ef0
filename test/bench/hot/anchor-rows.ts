// The rows that the server is measured against.
import type { Request } from '../load/request.ts'
import { fewMetrics, heartbeatBody, newStreams, type Streams } from './bodies.ts'
import { LICENSED, OPEN } from './fleet.ts'
import { anyOf, once, repeating, type Workload } from './workload.ts'

const BASIC = `Basic ${Buffer.from('bench:bench-secret').toString('base64')}`
const TOKEN_FORM = 'grant_type=client_credentials'

export function anchorRows(instances: number): Workload[] {
  const streams = newStreams()
  const written = (id: string, title: string, path: string): Workload => ({
    id,
    title,
    target: 'anchors',
    most: 12_000,
    expects: '"status":"ok"',
    list: (count) => once(openHeartbeats(path, streams, instances, count)),
  })
  return [
    {
      id: 'answer',
      title: 'hono: bare answer',
      target: 'anchors',
      most: 1,
      expects: '"ok"',
      list: () =>
        repeating([
          { method: 'GET', path: '/healthz' },
          { method: 'GET', path: '/healthz' },
        ]),
    },
    {
      id: 'echo',
      title: 'hono + zod: echo of the heartbeat',
      target: 'anchors',
      most: 5_000,
      expects: '"seq":',
      list: (count) => repeating(openHeartbeats('/echo', streams, instances, count)),
    },
    written('transaction', 'hand-written transaction', '/transaction'),
    written('cte', 'the same in one CTE', '/cte'),
    {
      id: 'oidc',
      title: 'oidc-provider 9: client_credentials',
      target: 'oidc',
      most: 1,
      expects: '"access_token":"eyJ',
      list: () => repeating([tokenRequest, tokenRequest]),
    },
  ]
}

const tokenRequest: Request = {
  method: 'POST',
  path: '/token',
  headers: { Authorization: BASIC },
  form: TOKEN_FORM,
}

/** Heartbeats of licensed instances without a credential, of all instances alike. */
export function openHeartbeats(path: string, streams: Streams, instances: number, count: number): Request[] {
  return Array.from({ length: count }, () => {
    const instance = anyOf(instances)
    const seq = streams.take(instance)
    const body = heartbeatBody({
      product: OPEN,
      instanceId: `${LICENSED}${instance}`,
      licensed: true,
      bootId: streams.bootId,
      seq,
      metrics: fewMetrics(seq, true),
    })
    return { method: 'POST', path, body }
  })
}
