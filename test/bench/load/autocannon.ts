// Load from autocannon, in this process: the connections take the requests of one list in turn.
import autocannon from 'autocannon'
import type { LoadOptions, LoadResult } from './load.ts'
import { headersOf, type Request } from './request.ts'

export async function autocannonLoad(options: LoadOptions): Promise<LoadResult> {
  const { targets, connections, seconds, list } = options
  let next = 0
  const take = (): Request | undefined => {
    if (next >= list.requests.length && list.repeats) next = 0
    return list.requests[next++]
  }
  const start = performance.now()
  const runs = await Promise.all(
    targets.map(({ host, port }) =>
      autocannon({
        url: `http://${host}:${port}`,
        connections: Math.ceil(connections / targets.length),
        duration: seconds,
        timeout: 30,
        setupClient(client) {
          const prepare = () => {
            const request = take()
            if (request) client.setRequest(prepared(request))
          }
          prepare()
          client.on('response', prepare)
        },
      }),
    ),
  )
  const sum = (of: (run: autocannon.Result) => number) => runs.reduce((all, run) => all + of(run), 0)
  return {
    answers: sum((run) => run.requests.total),
    seconds: (performance.now() - start) / 1000,
    failed: sum((run) => run.non2xx + run.errors + run.timeouts),
    p50Ms: sum((run) => run.latency.p50) / runs.length,
    p99Ms: Math.max(...runs.map((run) => run.latency.p99)),
  }
}

const prepared = (request: Request): autocannon.Request => {
  const content = request.body ?? request.form
  const { method, path } = request
  return { method, path, headers: headersOf(request), ...(content === undefined ? {} : { body: content }) }
}
