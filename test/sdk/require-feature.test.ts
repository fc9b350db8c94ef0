// The middleware in the frameworks it is for, over real HTTP, with a real license behind it.
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { requireFeature as expressGate } from '../../src/sdk/express.ts'
import { requireFeature as honoGate } from '../../src/sdk/hono.ts'
import { type License, startLicense } from '../../src/sdk/host/node-start.ts'
import { HOUR, testServer, virtualClock } from '../../src/sdk/testing/index.ts'

type Feature = 'audit_logs' | 'air_gap'
type Listener = { address(): unknown; close(): unknown }

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

const ADDED_BEFORE = { 'x-before': 'kept' }

async function underHono(license: License<Feature>): Promise<string> {
  const app = new Hono()
  app.use(async (c, next) => {
    c.header('x-before', 'kept')
    await next()
  })
  app.get('/audit', honoGate(license, 'audit_logs'), (c) => c.json({ entries: 3 }))
  app.use('/air/*', honoGate(license, 'air_gap'))
  app.get('/air/gap', (c) => c.json({ gap: true }))
  return addressOf(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }))
}

async function underExpress(license: License<Feature>): Promise<string> {
  const app = express()
  app.use((_request, response, next) => {
    response.set(ADDED_BEFORE)
    next()
  })
  app.get<object, { entries: number }>('/audit', expressGate(license, 'audit_logs'), (_request, response) => {
    response.json({ entries: 3 })
  })
  app.use('/air', expressGate(license, 'air_gap'))
  app.get('/air/gap', (_request, response) => {
    response.json({ gap: true })
  })
  return addressOf(app.listen(0, '127.0.0.1'))
}

async function addressOf(server: Listener & { once(event: 'listening', work: () => void): unknown }) {
  endings.push(() => server.close())
  if (server.address() === null) await new Promise<void>((done) => server.once('listening', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function licensed() {
  const clock = virtualClock()
  const server = await testServer({ clock, features: ['audit_logs'] })
  const license = await startLicense<Feature>(server.options())
  endings.push(() => license.stop())
  return { clock, server, license }
}

describe.each([
  ['Hono', underHono],
  ['Express', underExpress],
])('requireFeature in %s', (_name, under) => {
  test('lets a granted feature through', async () => {
    const { license } = await licensed()
    const answer = await fetch(`${await under(license)}/audit`)
    expect([answer.status, await answer.json()]).toEqual([200, { entries: 3 }])
  })

  test('answers 402 for a feature that the tier leaves out, with what to do, and keeps earlier headers', async () => {
    const { license } = await licensed()
    const answer = await fetch(`${await under(license)}/air/gap`)
    expect(answer.status).toBe(402)
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(answer.headers.get('x-before')).toBe('kept')
    expect(await answer.json()).toEqual({
      error: 'feature_not_licensed',
      feature: 'air_gap',
      tier: 'pro',
      reason: 'not_in_tier',
      fix: 'Get a license that includes air_gap.',
    })
  })

  test('says why the license gives nothing, from the request on that follows the change', async () => {
    const { license, server, clock } = await licensed()
    const url = await under(license)
    server.revoke()
    await clock.advance(24 * HOUR)
    const answer = await fetch(`${url}/audit`)
    const body = (await answer.json()) as { fix: string }
    expect(answer.status).toBe(402)
    expect(body).toMatchObject({ feature: 'audit_logs', tier: 'community', reason: 'license_revoked' })
    expect(body.fix).toBe(license.explain().todo[0])
  })

  test('says that the instance was switched off, and lets through again when that is over', async () => {
    const { license, server, clock } = await licensed()
    const url = await under(license)
    server.kill('abuse')
    await license.refreshNow()
    const refused = await fetch(`${url}/audit`)
    expect(await refused.json()).toMatchObject({ reason: 'instance_killed', tier: 'community' })
    server.clear()
    await clock.advance(6 * HOUR)
    expect((await fetch(`${url}/audit`)).status).toBe(200)
  })
})
