import { describe, expect, test } from 'vitest'
import { noMetrics } from '../../../src/platform/metrics.ts'
import { promMetrics } from '../../../src/platform/metrics-prom.ts'

describe('prometheus metrics', () => {
  test('show counters, gauges and histograms with their labels, and the process', async () => {
    const metrics = promMetrics()
    const requests = metrics.counter('requests_total', 'Requests answered.', ['route'])
    requests.inc({ route: '/a' })
    requests.inc({ route: '/a' }, 2)
    metrics.gauge('instances', 'Instances known.').set({}, 7)
    metrics.histogram('request_seconds', 'Time.', ['route'], [0.1, 1]).observe({ route: '/a' }, 0.5)
    const { contentType, body } = await metrics.exposition()
    expect(contentType).toContain('text/plain')
    expect(body).toContain('requests_total{route="/a"} 3')
    expect(body).toContain('# HELP requests_total Requests answered.')
    expect(body).toMatch(/^instances 7$/m)
    expect(body).toContain('request_seconds_bucket{le="0.1",route="/a"} 0')
    expect(body).toContain('request_seconds_bucket{le="1",route="/a"} 1')
    expect(body).toContain('process_cpu_seconds_total')
  })

  test('two instances share nothing', async () => {
    const [one, other] = [promMetrics(), promMetrics()]
    one.counter('things_total', 'Things.').inc({})
    other.counter('things_total', 'Things.')
    expect((await other.exposition()).body).toMatch(/^things_total 0$/m)
  })

  test('a name cannot be given twice in one instance', () => {
    const metrics = promMetrics()
    metrics.counter('things_total', 'Things.')
    expect(() => metrics.counter('things_total', 'Things.')).toThrow(/already been registered/)
  })
})

test('without metrics every call is accepted', () => {
  expect(() => {
    noMetrics.counter('a_total', 'A.', ['b']).inc({ b: 'c' })
    noMetrics.gauge('a', 'A.').set({}, 1)
    noMetrics.histogram('a_seconds', 'A.').observe({}, 1)
  }).not.toThrow()
})
