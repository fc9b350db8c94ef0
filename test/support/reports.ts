// Reports straight into the table, for tests of what is made of them.
import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { ensurePartitions } from '../../src/db/partitions.ts'
import { parsePublicId } from '../../src/platform/ids.ts'
import type { TestApp } from './app.ts'

export interface GivenReport {
  /** A name of the test's own; each stands for another instance. */
  instance?: string
  observedAt?: string
  metrics?: Record<string, number>
  increases?: Record<string, number>
  version?: string | null
  tier?: string | null
  /** `lic_…`. */
  license?: string | null
  proof?: 'none' | 'instance' | 'license'
}

/** Writes reports of one product, received now; an instance has the same key each time. */
export async function reportWriter(app: TestApp, product: string) {
  const { db, clock } = app.services
  await ensurePartitions(db, clock.now())
  const [row] = await db.execute<{ id: string }>(sql`select id from products where code = ${product}`)
  const keys = new Map<string, string>()
  return async (...reports: GivenReport[]): Promise<void> => {
    const now = clock.now().toISOString()
    const rows = reports.map((given) => {
      const name = given.instance ?? randomUUID()
      const key = keys.get(name) ?? randomUUID()
      keys.set(name, key)
      const license = typeof given.license === 'string' ? parsePublicId('lic', given.license) : null
      const { version = '1.0', tier = 'pro', proof = 'none', metrics = {}, increases = {} } = given
      const observedAt = given.observedAt ?? now
      return { key, id: randomUUID(), license, version, tier, proof, metrics, increases, observedAt }
    })
    await db.execute(sql`
      insert into reports (instance_key, received_on, id, product_id, license_id, kind, proof, received_at,
        observed_at, version, tier, metrics, increases, features)
      select r.key, ${now.slice(0, 10)}::date, r.id, ${row?.id}::uuid, r.license, 'heartbeat', r.proof,
        ${now}::timestamptz, r."observedAt", r.version, r.tier, r.metrics, r.increases, '{}'
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(key uuid, id uuid, license uuid, version text,
        tier text, proof text, metrics jsonb, increases jsonb, "observedAt" timestamptz)`)
  }
}
