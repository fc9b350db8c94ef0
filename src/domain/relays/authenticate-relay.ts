// The relay behind a request, and that it was heard. Every request of a relay begins here.
import { sql } from 'drizzle-orm'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { findRelay, type RelayRow } from './find-relay.ts'

/** Shown to people: a minute more or less is not worth a write for each request. */
const HEARD_SECONDS = 60

/** @throws Refusal 401 `relay_key_unknown`, `relay_key_revoked` */
export async function authenticateRelay(ctx: Ctx, bearer: Bearer): Promise<RelayRow> {
  const relay = await findRelay(ctx.db, ctx, bearer)
  const now = ctx.clock.now()
  if (relay.lastSeenAt === null || now.getTime() - relay.lastSeenAt.getTime() >= HEARD_SECONDS * 1000) {
    await ctx.db.execute(sql`
      update relays set last_seen_at = ${now.toISOString()}::timestamptz
      where id = ${relay.id}::uuid and (last_seen_at is null or last_seen_at < ${now.toISOString()}::timestamptz)`)
  }
  return relay
}
