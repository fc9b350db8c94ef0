// A database with what customers hold of it, upgraded in place, and what a migration may do beside running servers.
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { KEY_USES } from '../../src/contract/claims.ts'
import { migrate, shippedMigrations } from '../../src/db/migrate.ts'
import { sealName } from '../../src/domain/signing/keyring.ts'
import { generateKeyPair } from '../../src/mint/keys.ts'
import { publicId } from '../../src/platform/ids.ts'
import { seal } from '../../src/platform/seal.ts'
import { caller } from '../support/app.ts'
import { cloneDatabase } from '../support/database.ts'
import { credentialsIn, workplace } from '../support/leasehold-process.ts'
import { migrationsWith } from '../support/migrations.ts'
import { outsideDatabase } from '../support/outside-database.ts'
import { query } from '../support/query.ts'
import { claimsOf } from '../support/verify.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const MIGRATIONS = join(ROOT, 'drizzle')
/** Before it there is nothing. */
const BASELINE = '0000_baseline.sql'
const place = workplace()
afterAll(() => place.clear())

/** What a vendor has: a product with its keys, a tier, a customer and a license. */
async function populate(url: string, masterKey: Uint8Array): Promise<string> {
  const [product, tier, customer, license] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
  const keys = await Promise.all(
    KEY_USES.map(async (use) => {
      const { kid, publicKey, privateKey } = await generateKeyPair()
      const sealed = seal(masterKey, sealName('old', use, kid), privateKey)
      return `('${kid}', '${product}', '${use}', '${Buffer.from(publicKey).toString('hex')}', '${sealed}', now(), now())`
    }),
  )
  await query(
    url,
    `insert into products (id, code, name, instance_auth, limits_claim, metric_map, created_at, updated_at)
       values ('${product}', 'old', 'Old', 'token', 'limits', '{}', now(), now());
     insert into tiers (id, product_id, code, name, rank, features, limits, grace_days, created_at, updated_at)
       values ('${tier}', '${product}', 'pro', 'Pro', 10, '{oidc}', '{"max_agents": 7}', 30, now(), now());
     insert into customers (id, name, company, metadata, created_at, updated_at)
       values ('${customer}', 'Ada', 'Analytical Engines', '{}', now(), now());
     insert into licenses (id, product_id, tier_id, customer_id, status, status_changed_at, issued_at, features_added,
         features_removed, limits, is_trial, metadata, version, created_at, updated_at)
       values ('${license}', '${product}', '${tier}', '${customer}', 'active', now(), now(), '{}', '{}', '{}', false,
         '{}', 1, now(), now());
     insert into signing_keys (kid, product_id, use, public_key_hex, sealed_private_key, created_at, not_before)
       values ${keys.join(', ')}`,
  )
  return publicId('lic', license)
}

test('a database is upgraded in place; its licenses go on, also on a server of the version before', async () => {
  const clone = await cloneDatabase()
  const env = outsideDatabase(clone.url)
  const license_id = await populate(clone.url, Buffer.from(env.LEASEHOLD_MASTER_KEY, 'base64'))
  await migrate(
    clone.url,
    await migrationsWith(
      `alter table licenses add column next text default 'x' not null; create table next ()`,
    ),
  )
  const dataDir = await place.dataDir()
  const server = await place.start({ dataDir, env: { ...env, LEASEHOLD_DEMO: 'true' } })

  const [row] = await query(clone.url, 'select count(*)::int as applied from drizzle.__drizzle_migrations')
  expect(row?.applied).toBe((await shippedMigrations()) + 1)
  expect(await query(clone.url, 'select next from licenses limit 1')).toEqual([{ next: 'x' }])
  const call = caller(server.url)
  const bearer = (await credentialsIn(dataDir)).admin_key
  const made = await call('POST', '/api/v1/admin/api-keys', { bearer, body: { license_id, name: 'new' } })
  expect(made.status).toBe(201)
  const exchanged = await call('POST', '/api/v1/licenses/token', {
    bearer: made.body.api_key,
    body: { instance_id: 'upgraded', version: '1' },
  })
  expect(claimsOf(exchanged.body.jwt)).toMatchObject({ license_id, tier: 'pro', features: ['oidc'] })
  await server.stop()
  await clone.drop()
})

const writeBaseline = (argument: string): string =>
  execFileSync(process.execPath, [join(ROOT, 'scripts/write-baseline.ts'), argument], { encoding: 'utf8' })

/** What would break a server of the version before, or rewrite a table that it uses. */
const CONTRACTING = [
  /\bdrop\s+(table|column|constraint|type|schema)\b/i,
  /\brename\b/i,
  /\bset\s+not\s+null\b/i,
  /\bset\s+data\s+type\b/i,
  /\badd\s+column\b(?!.*\bdefault\b).*\bnot\s+null\b/i,
]
const contracts = (statement: string) => CONTRACTING.some((form) => form.test(statement))

test('the baseline is what the schema says', () => {
  expect(writeBaseline('--check')).toContain('up to date')
})

test('migrations only add: servers of the version before go on working beside them', () => {
  const names = readdirSync(MIGRATIONS).filter((name) => name.endsWith('.sql') && name !== BASELINE)
  const statements = names.flatMap((name) =>
    readFileSync(join(MIGRATIONS, name), 'utf8').split('--> statement-breakpoint'),
  )
  expect(statements.filter(contracts)).toEqual([])
  expect(contracts('ALTER TABLE "a" ADD COLUMN "b" text NOT NULL')).toBe(true)
  expect(contracts('ALTER TABLE "a" DROP COLUMN "b"')).toBe(true)
  expect(contracts('ALTER TABLE "a" ADD COLUMN "b" text DEFAULT \'\' NOT NULL')).toBe(false)
})
