// The cache's three statements, and what their rows say. Each is one snapshot: rows and the number of the newest event
// belong together.
import type {
  CredentialSource,
  InstanceAuth,
  LimitsClaim,
  MetricMap,
  StoredLicenseStatus,
} from '../../contract/catalog.ts'
import type { KeyUse } from '../../contract/claims.ts'
import { BEGINNING, OF_NOTHING_HELD, type PastEvent, type Point, type Sighting } from './past-events.ts'

/** More events than this are not looked through: everything is read again. */
const MOST_EVENTS = 1_000

const ms = (column: string) => `floor(extract(epoch from ${column}) * 1000)::bigint`

const array = (item: string, from: string, order = '') =>
  `(select coalesce(json_agg(${item}${order}), '[]') from ${from})`

const NOTHING_HELD = OF_NOTHING_HELD.map((type) => `'${type}'`).join(', ')

/** All parameters are text, which every driver sends as it is. `$1` and `$2` are the point that is asked about. */
const SEEN = `'at', json_build_array(newest.number, newest.mark),
  'held', case when $1::text::bigint = 0 then newest.number is null
    else exists (select from events where number = $1::text::bigint and mark = $2::text::uuid) end,
  'since', case when $1::text::bigint > 0 and newest.number > $1::text::bigint then ${array(
    `json_build_object('number', e.number, 'mark', e.mark, 'type', e.type, 'productId', e.product_id,
      'licenseId', e.license_id, 'customerId', e.customer_id)`,
    `(select * from events where number > $1::text::bigint and (number = newest.number
        or (type not in (${NOTHING_HELD}) and not (type = 'instance.changed' and license_id is null)))
      order by number limit ${MOST_EVENTS + 1}) e`,
    ' order by e.number',
  )} else '[]' end`

const FROM_NEWEST = `(select 1) one
  left join lateral (select number, mark from events order by number desc limit 1) newest on true`

const PROOF = `select json_build_object(${SEEN})::text as seen from ${FROM_NEWEST}`

const CATALOG = `select json_build_object(${SEEN},
  'products', ${array(
    `json_build_object('id', p.id, 'code', p.code, 'instanceAuth', p.instance_auth, 'limitsClaim', p.limits_claim,
      'metricMap', p.metric_map, 'createdAt', ${ms('p.created_at')},
      'tiers', ${array(
        `json_build_object('id', t.id, 'code', t.code, 'rank', t.rank, 'features', t.features, 'limits', t.limits,
          'graceDays', t.grace_days, 'seatLimit', t.seat_limit, 'seatChurn', t.seat_churn)`,
        'tiers t where t.product_id = p.id',
        ' order by t.rank',
      )},
      'keys', ${array(
        `json_build_object('kid', k.kid, 'use', k.use, 'publicKeyHex', k.public_key_hex,
          'sealedPrivateKey', k.sealed_private_key, 'createdAt', ${ms('k.created_at')},
          'notBefore', ${ms('k.not_before')}, 'supersededAt', ${ms('k.superseded_at')},
          'retiredAt', ${ms('k.retired_at')}, 'revokedAt', ${ms('k.revoked_at')})`,
        'signing_keys k where k.product_id = p.id',
      )})`,
    'products p where $3::text::boolean or p.id = any($4::text::uuid[])',
  )},
  'keySet', (select json_build_object('number', s.number, 'issuedAt', ${ms('s.issued_at')},
      'expiresAt', ${ms('s.expires_at')}, 'digest', s.digest, 'jws', s.jws)
    from (select * from key_sets where $5::text::boolean order by number desc limit 1) s)
  )::text as seen from ${FROM_NEWEST}`

const credentialsOf = (
  table: 'api_keys' | 'license_keys' | 'static_jwts',
  source: CredentialSource,
  where: string,
) => `select '${source}' as source, id, license_id, expires_at, revoked_at, end_sessions,
    ${table === 'static_jwts' ? 'null' : 'hash'} as hash,
    ${table === 'license_keys' ? 'retired_at' : 'null::timestamptz'} as retired_at,
    ${table === 'static_jwts' ? 'refreshable' : 'true'} as refreshable
  from ${table} where ${where}`

const ROWS = `with credential as (
  ${credentialsOf('api_keys', 'api_key', 'hash = any($4::text::text[])')}
  union ${credentialsOf('license_keys', 'license_key', 'hash = any($5::text::text[])')}
  union ${credentialsOf('api_keys', 'api_key', 'id = any($6::text::uuid[])')}
  union ${credentialsOf('license_keys', 'license_key', 'id = any($7::text::uuid[])')}
  union ${credentialsOf('static_jwts', 'static_jwt', 'id = any($8::text::uuid[])')})
select json_build_object(${SEEN},
  'licenses', ${array(
    `json_build_object('id', l.id, 'productId', l.product_id, 'tierId', l.tier_id, 'status', l.status,
      'statusReason', l.status_reason, 'issuedAt', ${ms('l.issued_at')}, 'expiresAt', ${ms('l.expires_at')},
      'graceDays', l.grace_days, 'featuresAdded', l.features_added, 'featuresRemoved', l.features_removed,
      'limits', l.limits, 'seatLimit', l.seat_limit, 'tenantId', l.tenant_id, 'label', l.label,
      'fingerprint', l.fingerprint, 'isTrial', l.is_trial, 'customerId', l.customer_id, 'customerName', c.name,
      'company', c.company)`,
    `licenses l join customers c on c.id = l.customer_id
      where l.id = any($3::text::uuid[] || array(select license_id from credential))`,
  )},
  'credentials', ${array(
    `json_build_object('source', source, 'id', id, 'licenseId', license_id, 'hash', hash,
      'expiresAt', ${ms('expires_at')}, 'revokedAt', ${ms('revoked_at')}, 'retiredAt', ${ms('retired_at')},
      'endSessions', end_sessions, 'refreshable', refreshable)`,
    'credential',
  )})::text as seen from ${FROM_NEWEST}`

export interface TierRow {
  id: string
  code: string
  rank: number
  features: string[]
  limits: Record<string, number>
  graceDays: number
  seatLimit: number | null
  seatChurn: number | null
}

/** Times are milliseconds since 1970, as in all rows below. */
export interface KeyRow {
  kid: string
  use: KeyUse
  publicKeyHex: string
  sealedPrivateKey: string
  createdAt: number
  notBefore: number
  supersededAt: number | null
  retiredAt: number | null
  revokedAt: number | null
}

export interface ProductRow {
  id: string
  code: string
  instanceAuth: InstanceAuth
  limitsClaim: LimitsClaim
  metricMap: MetricMap
  createdAt: number
  tiers: TierRow[]
  keys: KeyRow[]
}

export interface KeySetRow {
  number: number
  issuedAt: number
  expiresAt: number
  digest: string
  jws: string
}

export interface LicenseRow {
  id: string
  productId: string
  tierId: string
  status: StoredLicenseStatus
  statusReason: string | null
  issuedAt: number
  expiresAt: number | null
  graceDays: number | null
  featuresAdded: string[]
  featuresRemoved: string[]
  limits: Record<string, number>
  seatLimit: number | null
  tenantId: string | null
  label: string | null
  fingerprint: string | null
  isTrial: boolean
  customerId: string
  customerName: string
  company: string
}

export interface CredentialRow {
  source: CredentialSource
  id: string
  licenseId: string
  hash: string | null
  expiresAt: number | null
  revokedAt: number | null
  retiredAt: number | null
  endSessions: boolean
  refreshable: boolean
}

export interface Statement {
  text: string
  params: readonly string[]
}

export const proofOf = (point: Point): Statement => ({ text: PROOF, params: pointParams(point) })

/** Products with tiers and keys, and the newest key set: all, or what is named. */
export interface CatalogWish {
  products: 'all' | ReadonlySet<string>
  keySet: boolean
}

export const catalogOf = (point: Point, { products, keySet }: CatalogWish): Statement => ({
  text: CATALOG,
  params: [
    ...pointParams(point),
    String(products === 'all'),
    arrayText(products === 'all' ? [] : products),
    String(keySet),
  ],
})

/** UUIDs, and hashes in hex. */
export interface RowsWish {
  licenses: ReadonlySet<string>
  apiKeyHashes: ReadonlySet<string>
  licenseKeyHashes: ReadonlySet<string>
  credentials: Readonly<Record<CredentialSource, ReadonlySet<string>>>
}

export const rowsOf = (
  point: Point,
  { licenses, apiKeyHashes, licenseKeyHashes, credentials }: RowsWish,
) => ({
  text: ROWS,
  params: [
    ...pointParams(point),
    arrayText(licenses),
    arrayText(apiKeyHashes),
    arrayText(licenseKeyHashes),
    arrayText(credentials.api_key),
    arrayText(credentials.license_key),
    arrayText(credentials.static_jwt),
  ],
})

const pointParams = ({ number, mark }: Point) => [String(number), mark]

const PLAIN = /^[0-9a-f-]+$/

/** An array of UUIDs or hex hashes, none of which needs quoting. */
function arrayText(items: Iterable<string>): string {
  const texts = [...items]
  if (!texts.every((text) => PLAIN.test(text))) throw new TypeError('neither a UUID nor a hash')
  return `{${texts.join(',')}}`
}

/** The one row of a statement that asked about `asked`. */
export function seenBy<Extra>(asked: Point, row: Record<string, unknown> | undefined): Sighting & Extra {
  if (typeof row?.seen !== 'string') throw new Error('a statement about reference data gave no row')
  const { at, held, since, ...extra } = JSON.parse(row.seen) as Extra & {
    at: [number | null, string | null]
    held: boolean
    since: PastEvent[]
  }
  const [number, mark] = at
  const point = number === null || mark === null ? BEGINNING : { number, mark }
  return { ...(extra as Extra), at: point, asked, held, since: since.length > MOST_EVENTS ? null : since }
}
