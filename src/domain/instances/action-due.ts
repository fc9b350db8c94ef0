// When setting an action changes an instance: the one condition of the effect and of its preview. Reads nothing itself.
import { type SQL, sql } from 'drizzle-orm'
import type { ActionOrder } from '../../contract/admin-instances.schema.ts'
import { instances } from '../../db/schema/index.ts'

/** What is kept as the reason of an action; that of `none` is in the audit log alone. */
export const keptReason = ({ action, reason }: ActionOrder): string | null =>
  action === 'none' ? null : (reason ?? null)

/** Over rows of `instances`: another action, or another reason for it. An order without a reason keeps the one there is. */
export function actionDue(order: ActionOrder): SQL {
  const reason = keptReason(order)
  return sql`(${instances.action} <> ${order.action}
    or (${reason}::text is not null and ${instances.actionReason} is distinct from ${reason}::text))`
}
