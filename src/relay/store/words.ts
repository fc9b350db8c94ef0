// The vendor's signed words that the relay remembers: what was taken away (T3), and documents by name. Verifies nothing.
import type { DatabaseSync } from 'node:sqlite'
import {
  type Action,
  type DirectiveClaims,
  type DirectiveStatus,
  TAKING_STATUSES,
} from '../../contract/claims.ts'
import type { Commits } from './commits.ts'
import { latestWords, type Turn } from './latest-words.ts'

/** A word about the instance itself is kept under the empty license, one about the license under the empty instance. */
const ANY_LICENSE = ''
const ANY_INSTANCE = ''

/** What else is known of a directive that was heard. */
export interface Heard {
  /** When it was asked for: `turn()` of then. */
  asked: Turn
  /** Unix seconds: the newest grant of its license that was held before it was asked for; 0 if there was none. */
  newestGrant: number
  /** Unix milliseconds. */
  at: number
}

export type WordStore = ReturnType<typeof wordStore>

export function wordStore(database: DatabaseSync, { write }: Commits) {
  const put = database.prepare(`
    insert into rejections (product, instance_id, license_id, status, action, issued_at, seq, covers, heard_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict do update set status = excluded.status, action = excluded.action, issued_at = excluded.issued_at,
      seq = excluded.seq, covers = excluded.covers, heard_at = excluded.heard_at`)
  const lift = database.prepare(
    'delete from rejections where product = ? and instance_id = ? and license_id = ?',
  )
  const find = database.prepare(
    'select action, covers from rejections where product = ? and instance_id = ? and license_id = ?',
  )
  const document = database.prepare('select content from documents where name = ?')
  const named = database.prepare('select name, content, changed_at from documents where name like ?')
  const note = database.prepare(`
    insert into documents (name, content, changed_at) values (?, ?, ?)
    on conflict do update set content = excluded.content, changed_at = excluded.changed_at`)
  const latest = latestWords()

  const found = (product: string, instanceId: string, licenseId: string) =>
    find.get(product, instanceId, licenseId) as { action: Action; covers: number } | undefined

  return {
    /** The present turn: a directive that is asked for from now on is newer than every word that was heard before. */
    turn: latest.turn,
    /**
     * Takes what a verified directive says in place of what was believed, forwards or backwards (T1). Of two that were
     * asked for at the same time the one that was signed later counts. Null: it is not the newest about the instance.
     */
    hear: (d: DirectiveClaims, { asked, newestGrant, at }: Heard): Action | null =>
      write(() => {
        const isNewest = latest.isNewest(subject('instance', d.aud, d.sub), asked, {
          iat: d.iat,
          rank: d.seq,
        })
        if (isNewest && d.action === 'none') lift.run(d.aud, d.sub, ANY_LICENSE)
        else if (isNewest) put.run(d.aud, d.sub, ANY_LICENSE, d.status, d.action, d.iat, d.seq, d.iat, at)
        hearOfLicense(d, asked, Math.max(d.iat, newestGrant), at)
        return isNewest ? d.action : null
      }),
    /** The action of the last word about the instance; null where it asks for none, or there never was one. */
    ofInstance: (product: string, instanceId: string): Action | null =>
      found(product, instanceId, ANY_LICENSE)?.action ?? null,
    /** Whether a grant that was issued then is dead: a newer word took its license away. `issuedAt`: unix seconds. */
    isDead: (grant: { product: string; licenseId: string; issuedAt: number }): boolean =>
      (found(grant.product, ANY_INSTANCE, grant.licenseId)?.covers ?? -1) >= grant.issuedAt,
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
    keepDocument: (name: string, content: string, at: number): void =>
      write(() => void note.run(name, content, at)),
  }

  /** Who took a license away for one instance took it away for all of them. */
  function hearOfLicense(d: DirectiveClaims, asked: Turn, covers: number, at: number): void {
    const { aud: product, license_id: licenseId, status, iat } = d
    // Ignorance lifts as little as it takes (T2).
    if (licenseId === null || status === 'unlicensed') return
    const isTaken = takes(status)
    if (!latest.isNewest(subject('license', product, licenseId), asked, { iat, rank: isTaken ? 1 : 0 }))
      return
    if (isTaken) put.run(product, ANY_INSTANCE, licenseId, status, 'none', iat, d.seq, covers, at)
    else lift.run(product, ANY_INSTANCE, licenseId)
  }
}

const subject = (...names: string[]): string => JSON.stringify(names)

const takes = (status: DirectiveStatus): boolean => TAKING_STATUSES.some((taking) => taking === status)
