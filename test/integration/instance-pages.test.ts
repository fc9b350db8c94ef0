import { expect, test } from 'vitest'
import { startTestApp } from '../support/app.ts'
import { createWorld } from '../support/world.ts'

test('the pages of 120 instances hold each once, newest first, while new ones arrive', async () => {
  const app = await startTestApp()
  try {
    await createWorld(app)
    const arrive = async (name: string) => {
      const body = { instance_id: name, product: 'keldris' }
      expect((await app.call('POST', '/api/v1/instances/register', { body })).status).toBe(200)
    }
    // Several in each millisecond: the time alone does not tell them apart.
    for (let i = 0; i < 120; i += 1) {
      await arrive(`old-${i}`)
      if (i % 7 === 6) app.clock.advance(1)
    }
    const seen: { id: string; instance_id: string; first_seen_at: string }[] = []
    let next: string | undefined = '/api/v1/admin/instances?limit=25&product=keldris'
    for (let page = 0; next !== undefined; page += 1) {
      const { body, headers } = await app.call('GET', next, { bearer: app.adminKey })
      expect(Array.isArray(body)).toBe(true)
      seen.push(...body)
      next = /^<(\/api\/v1\/admin\/instances\?[^>]+)>; rel="next"$/.exec(headers.get('Link') ?? '')?.[1]
      app.clock.advance(1)
      for (let i = 0; i < 9; i += 1) await arrive(`new-${page}-${i}`)
    }
    expect(seen).toHaveLength(120)
    expect(new Set(seen.map(({ id }) => id)).size).toBe(120)
    expect(seen.every(({ instance_id }) => instance_id.startsWith('old-'))).toBe(true)
    const times = seen.map(({ first_seen_at }) => Date.parse(first_seen_at))
    expect(times.toSorted((a, b) => b - a)).toEqual(times)
  } finally {
    await app.stop()
  }
})
