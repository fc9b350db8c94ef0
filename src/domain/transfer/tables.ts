// Which tables an export holds, in the order in which their rows can be written again. Reads no row.
import { sql } from 'drizzle-orm'
import type { Executor } from '../../db/client.ts'
import { StartError } from '../../platform/start-error.ts'

/** Raised when an older version could not read the file any more. */
export const FORMAT = 1

export interface TransferOptions {
  /** Also what proves anybody: keys sealed under the master key, and hashes made with the sealed pepper. */
  secrets: boolean
  /** Also the single reports that telemetry has summed up; without it those that no sum holds yet. */
  reports: boolean
}

type Kind = 'state' | 'secret'

/** Those that others refer to come first. */
const TABLES: readonly (readonly [name: string, kind: Kind])[] = [
  ['server_secrets', 'secret'],
  ['admin_keys', 'secret'],
  ['products', 'state'],
  ['signing_keys', 'secret'],
  ['key_sets', 'secret'],
  ['tiers', 'state'],
  ['customers', 'state'],
  ['licenses', 'state'],
  ['license_notices', 'state'],
  ['envelopes', 'state'],
  ['offline_activations', 'state'],
  ['license_keys', 'secret'],
  ['api_keys', 'secret'],
  ['static_jwts', 'secret'],
  ['trials', 'secret'],
  ['usage_counts', 'secret'],
  ['idempotency_keys', 'secret'],
  ['instances', 'state'],
  ['activations', 'state'],
  ['forgotten_seats', 'state'],
  ['anomalies', 'state'],
  ['relays', 'state'],
  ['relay_allotments', 'state'],
  ['relay_leases', 'state'],
  ['telemetry_sums', 'state'],
  ['telemetry_presence', 'state'],
  ['telemetry_versions', 'state'],
  ['report_streams', 'state'],
  ['reports', 'state'],
  ['action_spending', 'state'],
  ['action_budget_lifts', 'state'],
  ['audit_log', 'state'],
  ['events', 'state'],
]

/** Says which process works on what just now, or is counted anew from what is imported: of no use elsewhere. */
export const NEVER_EXPORTED: readonly string[] = [
  'job_leases',
  // Counted again when a seat is next asked for.
  'seat_bounds',
  'fleet_counts',
  'fleet_ages',
  'fleet_facts',
  'fleet_changes',
  'fleet_age_changes',
]

/** Written by any server that merely runs; an import replaces them where it brings its own. */
export const OF_AN_EMPTY_SERVER: readonly string[] = ['server_secrets', 'key_sets', 'usage_counts']

/** Columns that only serve to prove somebody, of tables that are otherwise state. */
const SECRET_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  instances: ['token_hash', 'token_presented_at', 'lineage'],
  relays: ['enrolment_hash', 'enrolment_expires_at', 'key_hash', 'key_prefix', 'lineage'],
}

export const tableNames = (): string[] => TABLES.map(([name]) => name)

export const tablesOf = ({ secrets }: Pick<TransferOptions, 'secrets'>): string[] =>
  TABLES.filter(([, kind]) => kind === 'state' || secrets).map(([name]) => name)

export interface TableShape {
  name: string
  columns: string[]
  /** A WHERE, where not all of its rows are meant; empty for all. */
  only: string
  /** The primary key as an ORDER BY: the same in every database, whatever its collation. */
  order: string
}

/** The tables of an export as this database has them. @throws StartError where it has not even those. */
export async function shapesOf(db: Executor, options: TransferOptions): Promise<TableShape[]> {
  const columns = await db.execute<{
    table: string
    column: string
    is_text: boolean
    key: number | null
  }>(sql`
    select c.relname as table, a.attname as column, a.atttypid = 'text'::regtype as is_text,
      array_position(i.indkey::int2[], a.attnum)::int as key
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_index i on i.indrelid = c.oid and i.indisprimary
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
    order by a.attname`)
  return tablesOf(options).map((name) => {
    const own = columns.filter(({ table }) => table === name)
    if (own.length === 0) {
      throw new StartError(
        `The database has no table ${name}.`,
        'Bring it to the schema of this version: leasehold migrate.',
      )
    }
    const hidden = options.secrets ? [] : (SECRET_COLUMNS[name] ?? [])
    const key = own.filter((found) => found.key !== null).sort((a, b) => Number(a.key) - Number(b.key))
    return {
      name,
      only: name === 'reports' && !options.reports ? 'where not "summed"' : '',
      columns: own.map(({ column }) => column).filter((column) => !hidden.includes(column)),
      order: key.map(({ column, is_text }) => `"${column}"${is_text ? ' collate "C"' : ''}`).join(', '),
    }
  })
}

/** Rows may be many and the other side slow: nothing of this is cut off for taking long. */
export async function takeTime(tx: Executor): Promise<void> {
  await tx.execute(sql`
    select set_config('statement_timeout', '0', true),
      set_config('idle_in_transaction_session_timeout', '0', true),
      set_config('timezone', 'UTC', true)`)
}
