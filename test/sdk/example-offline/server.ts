// An example product at a site without a network: it holds the limits of its license against what is in its Postgres, and
// an admin installs the license by POST. In a product of your own, the imports say `@leasehold/sdk`, `@leasehold/enforce`,
// `@leasehold/enforce/offline` and `@leasehold/enforce/hono`.
//
//   DATABASE_URL=postgres://… LICENSE_PUBLIC_KEY="$(cat vendor.pub)" LICENSE_TENANT=acme ADMIN_TOKEN=secret \
//     node test/sdk/example-offline/server.ts
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import postgres from 'postgres'
import { Registry } from 'prom-client'
import { answerCap, licenseRoutes } from '../../../src/sdk/enforce/hono.ts'
import {
  cameleerLimits,
  clickhouseTtl,
  enforceLimits,
  postgresLock,
  retentionPolicy,
} from '../../../src/sdk/enforce/index.ts'
import { startLicense } from '../../../src/sdk/host/node-start.ts'
import {
  LICENSE_TABLE,
  licenseMetrics,
  openLicenseService,
  postgresStore,
} from '../../../src/sdk/offline/index.ts'

const { env } = process
const log = (message: string) => process.stdout.write(`${message}\n`)
const sql = postgres(env.DATABASE_URL ?? '', { onnotice: () => {} })

// Two processes may start at once.
await sql.begin(async (tx) => {
  await tx`select pg_advisory_xact_lock(1)`
  await tx.unsafe(LICENSE_TABLE)
  await tx`create table if not exists things (id bigserial primary key, kind text not null)`
  await tx`create table if not exists deployments (id bigserial primary key, cpu int, memory int, replicas int)`
  await tx`create table if not exists environment (slug text primary key, execution_days int, log_days int,
    metric_days int, jars int)`
  await tx`insert into environment values ('prod', 7, 7, 14, 1) on conflict do nothing`
  await tx`create table if not exists audit (id bigserial primary key, event jsonb not null)`
})

const COUNTED = {
  environments: 'max_environments',
  apps: 'max_apps',
  agents: 'max_agents',
  users: 'max_users',
  connections: 'max_outbound_connections',
  alert_rules: 'max_alert_rules',
} as const

const RETENTION = {
  execution_days: 'max_execution_retention_days',
  log_days: 'max_log_retention_days',
  metric_days: 'max_metric_retention_days',
} as const

const countThings = async (kind: string) => {
  const [row] = await sql<{ n: number }[]>`select count(*)::int as n from things where kind = ${kind}`
  return row?.n ?? 0
}

const sumDeployments = async () => {
  const [row] = await sql<{ cpu: number; memory: number; replicas: number }[]>`
    select coalesce(sum(cpu * replicas), 0)::int as cpu, coalesce(sum(memory * replicas), 0)::int as memory,
      coalesce(sum(replicas), 0)::int as replicas from deployments`
  return {
    max_total_cpu_millis: row?.cpu ?? 0,
    max_total_memory_mb: row?.memory ?? 0,
    max_total_replicas: row?.replicas ?? 0,
  }
}

const environments = () =>
  sql<{ slug: string; execution_days: number; log_days: number; metric_days: number; jars: number }[]>`
    select * from environment`

const license = enforceLimits(
  await startLicense({
    product: 'cameleer',
    version: '1.0.0',
    trust: { keys: env.LICENSE_PUBLIC_KEY ? [{ x: env.LICENSE_PUBLIC_KEY, use: 'raw' }] : [] },
    community: { limits: cameleerLimits },
    dataDir: false,
    log: {
      info: (message) => log(`license: ${message}`),
      warn: (message) => log(`license: WARNING ${message}`),
      error: (message) => log(`license: ERROR ${message}`),
    },
  }),
  {
    lock: postgresLock(sql),
    audit: (event) => sql`insert into audit (event) values (${sql.json(event)})`,
    async usage() {
      const counted = Object.entries(COUNTED).map(async ([kind, limit]) => [limit, await countThings(kind)])
      const [environment] = await environments()
      return {
        ...Object.fromEntries(await Promise.all(counted)),
        ...(await sumDeployments()),
        max_execution_retention_days: environment?.execution_days ?? 0,
        max_log_retention_days: environment?.log_days ?? 0,
        max_metric_retention_days: environment?.metric_days ?? 0,
        max_jar_retention_count: environment?.jars ?? 0,
      }
    },
  },
)

const service = await openLicenseService(license, {
  tenantId: env.LICENSE_TENANT ?? 'default',
  token: env.LICENSE_TOKEN,
  tokenFile: env.LICENSE_FILE,
  store: postgresStore(sql),
})

retentionPolicy(license, {
  tables: { executions: 'max_execution_retention_days', logs: 'max_log_retention_days' },
  scopes: async () =>
    (await environments()).map(({ slug, execution_days, log_days }) => ({
      scope: slug,
      days: { max_execution_retention_days: execution_days, max_log_retention_days: log_days },
    })),
  // A product with a ClickHouse sends it there.
  apply: (table, rows) => log(clickhouseTtl({ table, time: 'timestamp', scope: 'environment' }, rows)),
})

const registry = new Registry()
licenseMetrics(license, { registry, prefix: 'cameleer_', service })

const app = new Hono()
app.onError((error, c) => answerCap(c, error) ?? c.json({ error: 'failed' }, 500))
app.use(
  licenseRoutes(service, {
    admin: (c) => c.req.raw.headers.get('authorization') === `Bearer ${env.ADMIN_TOKEN}` && 'alice',
  }),
)
app.get('/', (c) => c.text('served\n'))
app.get('/metrics', async (c) => c.text(await registry.metrics()))
for (const [kind, limit] of Object.entries(COUNTED)) {
  app.post(`/${kind}`, async (c) => {
    const make = () => sql`insert into things (kind) values (${kind})`
    await license.enforce(limit, () => countThings(kind), make)
    return c.json({ made: kind }, 201)
  })
}
app.post('/deployments', async (c) => {
  const { cpu, memory, replicas } = await c.req.json<Record<'cpu' | 'memory' | 'replicas', number>>()
  const deltas = {
    max_total_cpu_millis: cpu * replicas,
    max_total_memory_mb: memory * replicas,
    max_total_replicas: replicas,
  }
  await license.enforce(
    deltas,
    sumDeployments,
    () => sql`insert into deployments ${sql({ cpu, memory, replicas })}`,
  )
  return c.json({ made: 'deployments' }, 201)
})
app.put('/environments/prod', async (c) => {
  const changes = await c.req.json<Partial<Record<keyof typeof RETENTION | 'jars', number>>>()
  for (const [name, limit] of Object.entries(RETENTION)) {
    const days = changes[name as keyof typeof RETENTION]
    if (days !== undefined) license.assertRetention(limit, days)
  }
  if (changes.jars !== undefined) license.assertArtefactCount('max_jar_retention_count', changes.jars)
  await sql`update environment set ${sql(changes)} where slug = 'prod'`
  return c.json(changes)
})

const server = serve(
  { fetch: app.fetch, port: Number(env.PORT ?? 3000), hostname: '127.0.0.1' },
  ({ port }) => log(`listening on http://127.0.0.1:${port}, license ${license.state}`),
)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    server.close()
    service.stop()
    await license.stop()
    await sql.end()
    process.exit(0)
  })
}
