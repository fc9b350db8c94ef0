// Reads relays for an admin: one, or pages of them.
import { and, eq, lt } from 'drizzle-orm'
import type { RelayQuery } from '../../contract/admin-relays.schema.ts'
import { relays } from '../../db/schema/index.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { uuidOf } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, UUID_PART } from '../kernel/paging.ts'
import { type RelayView, viewRelay, viewRelays } from './view-relay.ts'

/** @throws Refusal `not_found` */
export async function getRelay(ctx: Ctx, id: string): Promise<RelayView> {
  requireRole(ctx, 'auditor')
  return viewRelay(ctx.db, uuidOf('rly', id, 'relay'), ctx.clock.now())
}

/** Newest first. */
export async function listRelays(ctx: Ctx, query: RelayQuery): Promise<Page<RelayView>> {
  requireRole(ctx, 'auditor')
  const { after, customer, limit } = query
  const where = and(
    after === undefined ? undefined : lt(relays.id, decodeCursor(after, UUID_PART)[0]),
    customer === undefined ? undefined : eq(relays.customerId, uuidOf('cus', customer, 'customer')),
  )
  return pageOf(await viewRelays(ctx.db, where, ctx.clock.now(), limit + 1), limit, (row) => [row.id])
}
