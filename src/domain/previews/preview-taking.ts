// Says what an action, a suspension or a revocation would take, from whom and when. Writes nothing, costs no budget.
import { eq, type SQL, sql } from 'drizzle-orm'
import type { ActionOrder, BulkActionOrder } from '../../contract/admin-instances.schema.ts'
import type { CredentialSource } from '../../contract/catalog.ts'
import type { Transaction } from '../../db/client.ts'
import { instances } from '../../db/schema/index.ts'
import { actionDue } from '../instances/action-due.ts'
import { hintsOf } from '../instances/filter-hints.ts'
import { meetsFilter } from '../instances/instance-filter.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { viewLicense } from '../licenses/license-view.ts'
import { SOURCES } from '../licenses/revoke-credential.ts'
import { refuseRevoked } from '../licenses/update-license.ts'
import { seatIsLive } from '../rights/seat.ts'
import { type Effect, effectOf, type Taking } from './effects.ts'
import { readOnly, readSubjects, type SubjectQuery } from './read-subjects.ts'

export interface Preview {
  /** Whether anything would change at all; false where it is already so. */
  changes: boolean
  /** How many instances it would concern; 2,001 for any more that nobody counted already. */
  count: number
  /** What it comes to for the newest of them. */
  effects: Effect[]
}

/** @throws Refusal `not_found` */
export async function previewAction(ctx: Ctx, id: string, order: ActionOrder): Promise<Preview> {
  requireRole(ctx, 'operator')
  const key = uuidOf('ins', id, 'instance')
  return readOnly(ctx, async (tx) => {
    const preview = await previewOrder(tx, ctx, { where: eq(instances.instanceKey, key) }, order)
    return preview.count === 0 ? notFound('instance') : preview
  })
}

/** @throws Refusal `not_found` for a license of the filter that is no id. */
export async function previewActions(ctx: Ctx, order: BulkActionOrder): Promise<Preview> {
  requireRole(ctx, 'operator')
  const now = ctx.clock.now()
  const [where, hint] = [meetsFilter(ctx, order.filter, now), hintsOf(order.filter, now)]
  return readOnly(ctx, (tx) => previewOrder(tx, ctx, { where, hint }, order))
}

/** @throws Refusal `not_found`; `conflict` for suspending a license that was revoked. */
export async function previewLicense(ctx: Ctx, id: string, verb: 'suspend' | 'revoke'): Promise<Preview> {
  requireRole(ctx, 'operator')
  const licenseId = uuidOf('lic', id, 'license')
  return readOnly(ctx, async (tx) => {
    const license = await viewLicense(tx, licenseId, ctx.clock.now())
    if (license.status === 'revoked') refuseRevoked(license, `license.${verb}`)
    const due = license.status !== (verb === 'suspend' ? 'suspended' : 'revoked')
    const where = holdsSeat(ctx, sql`a.license_id = ${licenseId}::uuid`)
    const known = license.seatsInUse
    const preview = await previewOf(tx, ctx, { where, known }, { kind: 'license', licenseId })
    return { ...preview, changes: due }
  })
}

/** @throws Refusal `not_found` */
export async function previewCredential(
  ctx: Ctx,
  source: CredentialSource,
  id: string,
  order: { end_sessions?: boolean; reason?: string | undefined },
): Promise<Preview> {
  requireRole(ctx, 'operator')
  const { table, prefix, what } = SOURCES[source]
  const uuid = uuidOf(prefix, id, what)
  const endsSessions = source === 'static_jwt' || (order.end_sessions ?? false)
  return readOnly(ctx, async (tx) => {
    const [known] = await tx
      .select({ revokedAt: table.revokedAt, endSessions: table.endSessions })
      .from(table)
      .where(eq(table.id, uuid))
    if (!known) return notFound(what)
    const began = sql`a.credential_source = ${source} and a.credential_id = ${uuid}::uuid`
    const taking = { kind: 'credential', source, id: uuid, endsSessions } as const
    const preview = await previewOf(tx, ctx, { where: holdsSeat(ctx, began) }, taking)
    return { ...preview, changes: known.revokedAt === null || (endsSessions && !known.endSessions) }
  })
}

const holdsSeat = (ctx: Ctx, condition: SQL): SQL => sql`${instances.instanceKey} in (
  select a.instance_key from activations a where ${seatIsLive(ctx.clock.now())} and ${condition})`

function previewOrder(
  tx: Transaction,
  ctx: Ctx,
  subjects: Pick<SubjectQuery, 'where' | 'hint'>,
  order: ActionOrder,
): Promise<Preview> {
  return previewOf(tx, ctx, { ...subjects, due: actionDue(order) }, { kind: 'action', action: order.action })
}

async function previewOf(
  tx: Transaction,
  ctx: Ctx,
  subjects: SubjectQuery,
  taking: Taking,
): Promise<Preview> {
  const { count, due, page } = await readSubjects(tx, subjects, ctx.clock.now())
  const effects = page.map((subject) => effectOf(subject, taking, ctx.settings.heartbeatInterval))
  return { changes: due > 0, count, effects }
}
