// What others would write by hand, to be measured beside the server: a bare answer, a validated echo of a heartbeat,
// and the same heartbeat written in one transaction and in one statement. A program of its own; PORT, DATABASE_URL.
import { randomUUID } from 'node:crypto'
import { serve } from '@hono/node-server'
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import postgres from 'postgres'
import { z } from 'zod'

const heartbeat = z.object({
  instance_id: z.string().min(1).max(255),
  product: z.string().min(1).max(64),
  reported_tier: z.string().max(64),
  has_valid_entitlement: z.boolean(),
  metrics: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.array(z.string())])),
  boot_id: z.guid().optional(),
  seq: z.int().nonnegative().optional(),
})
const validated = zValidator('json', heartbeat)

const sql = postgres(process.env.DATABASE_URL ?? '', {
  max: Number(process.env.POOL_SIZE ?? 10),
  fetch_types: false,
  onnotice: () => {},
})
const app = new Hono()

app.get('/healthz', (c) => c.json({ status: 'ok' }))

app.post('/echo', validated, (c) => c.json(c.req.valid('json')))

app.post('/transaction', validated, async (c) => {
  const body = c.req.valid('json')
  const found = await sql.begin(async (tx) => {
    const [row] = await tx`
      select action, last_seen_at from fleet where instance_id = ${body.instance_id} for update`
    if (!row) return null
    await tx`
      update fleet set last_seen_at = now(), tier = ${body.reported_tier},
        metrics = ${JSON.stringify(body.metrics)}::text::jsonb
      where instance_id = ${body.instance_id}`
    await tx`
      insert into reports (id, instance_id, boot_id, seq, received_at, metrics)
      values (${randomUUID()}, ${body.instance_id}, ${body.boot_id ?? null}, ${body.seq ?? null}, now(),
        ${JSON.stringify(body.metrics)}::text::jsonb)`
    return row
  })
  return found ? c.json({ status: 'ok', action: found.action }) : c.json({ status: 'unknown' }, 404)
})

app.post('/cte', validated, async (c) => {
  const body = c.req.valid('json')
  const metrics = JSON.stringify(body.metrics)
  const [found] = await sql`
    with seen as (
      update fleet set last_seen_at = now(), tier = ${body.reported_tier}, metrics = ${metrics}::text::jsonb
      where instance_id = ${body.instance_id} returning instance_id, action
    ), reported as (
      insert into reports (id, instance_id, boot_id, seq, received_at, metrics)
      select ${randomUUID()}, instance_id, ${body.boot_id ?? null}::uuid, ${body.seq ?? null}::bigint, now(),
        ${metrics}::text::jsonb from seen
    )
    select action from seen`
  return found ? c.json({ status: 'ok', action: found.action }) : c.json({ status: 'unknown' }, 404)
})

serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' })
