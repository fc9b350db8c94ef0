// The vendor's signed words that the relay remembers: rejections (T3), the key set, and other documents by name.
import type { DatabaseSync } from 'node:sqlite'
import {
  type Action,
  type DirectiveClaims,
  type DirectiveStatus,
  TAKING_STATUSES,
} from '../../contract/claims.ts'

export interface Rejection {
  status: DirectiveStatus
  action: Action
  /** Unix seconds of the directive. */
  issuedAt: number
}

/** A word about the instance itself is kept under the empty license, one about the license under the empty instance. */
const ANY_LICENSE = ''
const ANY_INSTANCE = ''

export type WordStore = ReturnType<typeof wordStore>

export function wordStore(database: DatabaseSync) {
  const put = database.prepare(`
    insert into rejections (product, instance_id, license_id, status, action, issued_at) values (?, ?, ?, ?, ?, ?)
    on conflict do update set status = excluded.status, action = excluded.action, issued_at = excluded.issued_at
      where excluded.issued_at >= issued_at`)
  const find = database.prepare(
    'select status, action, issued_at from rejections where product = ? and instance_id = ? and license_id = ?',
  )
  const document = database.prepare('select content from documents where name = ?')
  const named = database.prepare('select name, content, changed_at from documents where name like ?')
  const write = database.prepare(`
    insert into documents (name, content, changed_at) values (?, ?, ?)
    on conflict do update set content = excluded.content, changed_at = excluded.changed_at`)

  const rejection = (product: string, instanceId: string, licenseId: string): Rejection | null => {
    const row = find.get(product, instanceId, licenseId) as
      | { status: DirectiveStatus; action: Action; issued_at: number }
      | undefined
    return row ? { status: row.status, action: row.action, issuedAt: row.issued_at } : null
  }

  return {
    /** Keeps what a verified directive says, which replaces what an older one said (T3). */
    hear(d: DirectiveClaims): void {
      put.run(d.aud, d.sub, ANY_LICENSE, d.status, d.action, d.iat)
      if (d.license_id === null) return
      put.run(d.aud, d.sub, d.license_id, d.status, d.action, d.iat)
      put.run(d.aud, ANY_INSTANCE, d.license_id, d.status, 'none', d.iat)
    },
    /** The last word about the instance's action. */
    ofInstance: (product: string, instanceId: string) => rejection(product, instanceId, ANY_LICENSE),
    /** Whether a grant that was issued then is dead: a newer word took its license away. `issuedAt`: unix seconds. */
    isDead(grant: { product: string; instanceId: string; licenseId: string; issuedAt: number }): boolean {
      const word = newer(
        rejection(grant.product, grant.instanceId, grant.licenseId),
        rejection(grant.product, ANY_INSTANCE, grant.licenseId),
      )
      return word !== null && word.issuedAt >= grant.issuedAt && takes(word.status)
    },
    document(name: string): string | null {
      const row = document.get(name) as { content: string } | undefined
      return row?.content ?? null
    },
    /** Those whose names begin so. */
    documents: (prefix: string): { name: string; content: string; changedAt: number }[] =>
      (named.all(`${prefix}%`) as { name: string; content: string; changed_at: number }[]).map((row) => ({
        name: row.name,
        content: row.content,
        changedAt: row.changed_at,
      })),
    /** `at`: unix milliseconds. */
    keepDocument: (name: string, content: string, at: number): void => void write.run(name, content, at),
  }
}

const newer = (a: Rejection | null, b: Rejection | null): Rejection | null =>
  a === null || (b !== null && b.issuedAt > a.issuedAt) ? b : a

const takes = (status: DirectiveStatus): boolean => TAKING_STATUSES.some((taking) => taking === status)
