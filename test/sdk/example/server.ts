// An example product: a small HTTP server with two gated routes and one limit. In a product of your own, the imports
// say `@leasehold/sdk` and `@leasehold/sdk/hono`.
//
//   npm start                              the license server, with its demo catalog
//   node test/sdk/example/server.ts        this product, on port 3000, with the demo API key
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { requireFeature } from '../../../src/sdk/hono.ts'
import { type LicenseChange, startLicense } from '../../../src/sdk/host/node-start.ts'

type Feature = 'audit_logs' | 'white_label'
type Limit = 'max_agents'

const { env } = process
const serverData = env.LEASEHOLD_DATA_DIR ?? '.data'
const credentials = JSON.parse(await readFile(join(serverData, 'credentials.json'), 'utf8')) as {
  product: string
  api_key: string
  issuer: string
  root_public_key: string
}

const log = (message: string) => process.stdout.write(`${message}\n`)
const agents: string[] = []

const license = await startLicense<Feature, Limit>({
  product: credentials.product,
  version: '1.4.0',
  serverUrl: env.LICENSE_SERVER_URL ?? 'http://127.0.0.1:8081',
  trust: { issuer: credentials.issuer, roots: [credentials.root_public_key] },
  apiKey: credentials.api_key,
  dataDir: env.EXAMPLE_DATA_DIR ?? join(serverData, 'example'),
  usage: () => ({ agent_count: agents.length }),
  community: { limits: { max_agents: 1 } },
  log: {
    info: (message) => log(`license: ${message}`),
    warn: (message) => log(`license: WARNING ${message}`),
    error: (message) => log(`license: ERROR ${message}`),
  },
})
log(`license: ${license.state}, tier ${license.tier} from ${license.source}`)
license.on('change', (change) => log(`license: ${describe(change)}`))

const app = new Hono()
app.get('/', (c) =>
  c.text('GET /audit-log, GET /branding, GET and POST /agents, GET /license, POST /license/check\n'),
)
app.get('/audit-log', requireFeature(license, 'audit_logs'), (c) =>
  c.json({ entries: ['someone logged in'] }),
)
app.get('/branding', requireFeature(license, 'white_label'), (c) => c.json({ logo: 'yours' }))
app.get('/agents', (c) => c.json(agents))
app.post('/agents', (c) => {
  const allowed = license.limit('max_agents')
  // What is there stays, whatever the limit has become: only more is refused.
  if (agents.length + 1 > allowed) {
    const fix = license.explain().todo[0] ?? 'Get a license that allows more agents.'
    const facts = { limit: 'max_agents', current: agents.length, allowed, tier: license.tier }
    return c.json({ error: 'limit_reached', ...facts, reason: license.reason ?? 'not_in_tier', fix }, 403)
  }
  agents.push(`agent-${agents.length + 1}`)
  return c.json({ agents: agents.length }, 201)
})
app.get('/license', (c) => c.text(`${license.explain().text}\n`))
app.post('/license/check', async (c) => {
  await license.refreshNow()
  return c.text(`${license.explain().text}\n`)
})

const server = serve(
  { fetch: app.fetch, port: Number(env.PORT ?? 3000), hostname: '127.0.0.1' },
  ({ port }) => log(`listening on http://127.0.0.1:${port}`),
)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    server.close()
    await license.stop()
    process.exit(0)
  })
}

function describe({ before, after, featuresAdded, featuresRemoved, why }: LicenseChange): string {
  const rights = [...featuresAdded.map((name) => `+${name}`), ...featuresRemoved.map((name) => `-${name}`)]
  const tiers = before.tier === after.tier ? after.tier : `${before.tier} → ${after.tier}`
  return [`${before.state} → ${after.state}, tier ${tiers}`, why, rights.join(' ')].filter(Boolean).join('; ')
}
