// What a token grants and how long, in words. It is told of claims that nobody has to believe: whether they were
// verified is for the caller to say first.
import {
  ENVELOPE_UNLIMITED,
  type KeySetClaims,
  LAST_SECOND,
  type LicenseClaims,
} from '../../contract/claims.ts'
import { isJsonObject, type JsonObject } from '../../license/json.ts'
import { leaseTerm, licenseState, type Term } from '../../license/state.ts'
import { DAY } from '../../license/times.ts'
import { fromUnixSeconds, rfc3339 } from '../../platform/time.ts'
import { type Recognised, recognise } from './recognise.ts'

export interface Description {
  rows: [string, string][]
  /** By its dates alone; null where it has none that can be read. */
  state: 'ACTIVE' | 'GRACE' | 'EXPIRED' | null
  /** RFC 3339; null where it never ends, or names no end. */
  until: string | null
  graceUntil: string | null
  note: string | null
}

const NOTES: Partial<Record<Recognised['kind'], string>> = {
  directive: 'An instance obeys it only in answer to the request that carried its nonce (T1).',
  'offline answer':
    'It installs once, where its request was made. The lease that it grants has an end of its own (T3, T6).',
  'key set': 'Past its end it still verifies grants, but no directive that takes something away (T4).',
  'entitlement token': 'It has no grace.',
  allotment: 'A relay gives out its seats by leases of its own, none of which outlives it. It has no grace.',
  'relay lease': 'Its rights are those of the allotment inside. It has no grace.',
}

/** `now` in unix seconds. Members that are not what they should be are left out. */
export function describe({ kind, payload }: Recognised, now: number): Description {
  const term = termOf(kind, payload)
  const state = term && licenseState(term, now)
  const ends = term?.exp != null && term.exp < LAST_SECOND ? term.exp : null
  const isOwnLease = kind !== 'license key' || payload.offline === true
  return {
    rows: rowsOf(kind, payload),
    state: state === 'ACTIVE' || state === 'GRACE' || state === 'EXPIRED' ? state : null,
    until: ends === null ? null : at(ends),
    graceUntil: ends === null || !term?.graceDays ? null : at(ends + term.graceDays * DAY),
    note: isOwnLease
      ? (NOTES[kind] ?? null)
      : 'A credential: offline it holds for the grace after its last confirmation, or 7 days from first use (T6).',
  }
}

function termOf(kind: Recognised['kind'], payload: JsonObject): Term | null {
  const end = second(payload.exp ?? payload.expires_at)
  if (end === null) return null
  if (kind === 'envelope') return { exp: end, graceDays: second(payload.gracePeriodDays) ?? 0 }
  if (kind !== 'license JWT') return { exp: end, graceDays: 0 }
  const licenseExp = second(payload.license_exp)
  const lease = { exp: end, grace_days: second(payload.grace_days) ?? 0 }
  return leaseTerm(licenseExp === null ? lease : ({ ...lease, license_exp: licenseExp } as LicenseClaims))
}

const PLAIN: readonly [string, readonly string[]][] = [
  ['license', ['license_id', 'licenseId']],
  ['issuer', ['iss']],
  ['product', ['aud', 'product']],
  ['customer', ['org_name', 'customer_id']],
  ['label', ['label']],
  ['tenant', ['tenant_id', 'tenantId']],
  ['instance', ['instance_id', 'instanceId']],
  ['tier', ['tier']],
  ['status', ['status']],
  ['action', ['action']],
  ['reason', ['reason']],
  ['number', ['number']],
  ['seats', ['seats']],
]

function rowsOf(kind: Recognised['kind'], payload: JsonObject): [string, string][] {
  const rows: [string, string][] = []
  for (const [name, members] of PLAIN) {
    const value = members.map((member) => payload[member]).find((found) => found !== undefined)
    if ((typeof value === 'string' && value !== '') || typeof value === 'number')
      rows.push([name, String(value)])
  }
  if (kind in SUBJECTS && typeof payload.sub === 'string') rows.push([SUBJECTS[kind] ?? '', payload.sub])
  if (kind === 'relay lease') rows.push(...allotmentRows(payload.allotment))
  if (kind === 'allotment' && isJsonObject(payload.grant)) rows.push(...rowsOf(kind, payload.grant))
  if (Array.isArray(payload.features))
    rows.push(['features', payload.features.map(String).join(', ') || 'none'])
  const limits = payload.limits ?? payload.quotas
  if (isJsonObject(limits)) rows.push(['limits', limitsText(kind, limits)])
  if (kind === 'key set' && Array.isArray(payload.keys)) rows.push(...keyRows(payload.keys))
  const issued = second(payload.iat ?? payload.issued_at)
  if (issued !== null) rows.push(['issued', at(issued)])
  return rows
}

const SUBJECTS: Partial<Record<Recognised['kind'], string>> = {
  directive: 'instance',
  allotment: 'relay',
  'relay lease': 'instance',
}

/** Of what it is a lease. */
function allotmentRows(token: unknown): [string, string][] {
  const found = typeof token === 'string' ? recognise(token) : null
  return found?.kind === 'allotment' ? rowsOf('allotment', found.payload) : []
}

function limitsText(kind: Recognised['kind'], limits: JsonObject): string {
  const unlimited = kind === 'envelope' ? ENVELOPE_UNLIMITED : -1
  const each = Object.entries(limits).map(
    ([name, limit]) => `${name} ${limit === unlimited ? 'unlimited' : String(limit)}`,
  )
  return each.join(', ') || 'none'
}

function keyRows(keys: readonly unknown[]): [string, string][] {
  return keys.filter(isJsonObject).map((key): [string, string] => {
    const { kid, product, use, status } = key as unknown as KeySetClaims['keys'][number]
    return ['key', [product, use, status, kid].map(String).join('  ')]
  })
}

function second(value: unknown): number | null {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= LAST_SECOND
    ? Number(value)
    : null
}

const at = (seconds: number): string => rfc3339(fromUnixSeconds(Math.min(seconds, LAST_SECOND)))
