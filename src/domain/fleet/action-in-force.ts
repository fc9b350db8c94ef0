// The action that an admin has set on an instance to which something is to be issued (T3).
import { eq } from 'drizzle-orm'
import type { Action } from '../../contract/claims.ts'
import type { Transaction } from '../../db/client.ts'
import { instances } from '../../db/schema/index.ts'
import { publicId } from '../../platform/ids.ts'
import { Refusal } from '../kernel/context.ts'

/**
 * The action of the instance, which cannot be changed until the transaction ends. Call it before the license is held:
 * every session locks the instance's row first. @throws Refusal `conflict` while the instance is killed.
 */
export async function actionInForce(tx: Transaction, key: string): Promise<Action> {
  const [known] = await tx
    .select({ action: instances.action })
    .from(instances)
    .where(eq(instances.instanceKey, key))
    .for('share')
  if (known?.action !== 'kill') return known?.action ?? 'none'
  throw isKilled(key)
}

export const isKilled = (key: string) =>
  new Refusal('conflict', 'The instance is killed: nothing is issued to it.', {
    facts: { reason: 'instance_killed', instance: publicId('ins', key) },
    fix: 'Clear the action of the instance first.',
  })
