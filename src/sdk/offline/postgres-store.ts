// The store in the vendor's own Postgres, in the reference's table (section 4).
import { type PostgresClient, queryOver } from '../enforce/postgres.ts'
import type { LicenseStore } from './store.ts'

/** For the vendor's own migrations. */
export const LICENSE_TABLE = `CREATE TABLE IF NOT EXISTS license (
  tenant_id text PRIMARY KEY,
  token text NOT NULL,
  license_id uuid NOT NULL,
  installed_at timestamptz NOT NULL,
  installed_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  last_validated_at timestamptz
)`

const time = (column: string) =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${column}`

const READ = `SELECT token, license_id::text, ${time('installed_at')}, installed_by, ${time('expires_at')},
  ${time('last_validated_at')} FROM license WHERE tenant_id = $1`

const WRITE = `INSERT INTO license
  (tenant_id, token, license_id, installed_at, installed_by, expires_at, last_validated_at) VALUES ($1, $2, $3::uuid, $4::timestamptz, $5,
  $6::timestamptz, $7::timestamptz)
  ON CONFLICT (tenant_id) DO UPDATE SET token = excluded.token, license_id = excluded.license_id,
  installed_at = excluded.installed_at, installed_by = excluded.installed_by, expires_at = excluded.expires_at,
  last_validated_at = excluded.last_validated_at`

const TOUCH = 'UPDATE license SET last_validated_at = $2::timestamptz WHERE tenant_id = $1'

/** On a client of postgres.js or pg; the table is `LICENSE_TABLE`. */
export function postgresStore(client: PostgresClient): LicenseStore {
  const query = queryOver(client)
  return {
    async read(tenantId) {
      const [row] = await query(READ, [tenantId])
      if (!row) return null
      return {
        tenantId,
        token: String(row.token),
        licenseId: String(row.license_id),
        installedAt: String(row.installed_at),
        installedBy: String(row.installed_by),
        expiresAt: String(row.expires_at),
        lastValidatedAt: row.last_validated_at === null ? null : String(row.last_validated_at),
      }
    },
    async write({ tenantId, token, licenseId, installedAt, installedBy, expiresAt, lastValidatedAt }) {
      await query(WRITE, [tenantId, token, licenseId, installedAt, installedBy, expiresAt, lastValidatedAt])
    },
    async touch(tenantId, at) {
      await query(TOUCH, [tenantId, at])
    },
  }
}
