// Seals everything private anew under another master key. The secrets themselves stay what they are.
import { eq } from 'drizzle-orm'
import type { Transaction } from '../../db/client.ts'
import { products, serverSecrets, signingKeys } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { open, seal } from '../../platform/seal.ts'
import { StartError } from '../../platform/start-error.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { recordChange } from '../kernel/record-change.ts'
import { sealName } from './keyring.ts'
import { secretSealName } from './server-secrets.ts'

/**
 * All or nothing: one row that does not open under `ctx.masterKey` and its own name leaves every row as it was.
 * Processes that run with the old key go on with the keys they have opened and make no new ones.
 * @throws StartError naming the row.
 */
export async function rotateMasterKey(
  ctx: Ctx,
  newKey: Uint8Array,
): Promise<{ signingKeys: number; secrets: number }> {
  requireRole(ctx, 'owner')
  return transaction(ctx.db, async (tx) => {
    // First the secrets: whoever makes a signing key meanwhile holds the pepper's row.
    const secrets = await resealSecrets(tx, ctx.masterKey, newKey)
    const keys = await resealSigningKeys(tx, ctx.masterKey, newKey)
    await recordChange(tx, ctx, {
      action: 'master_key.rotate',
      subject: 'server',
      event: 'admin.changed',
      details: { signing_keys: keys, secrets },
    })
    return { signingKeys: keys, secrets }
  })
}

async function resealSecrets(tx: Transaction, oldKey: Uint8Array, newKey: Uint8Array): Promise<number> {
  const rows = await tx.select().from(serverSecrets).orderBy(serverSecrets.name).for('update')
  for (const { name, sealed } of rows) {
    const resealed = reseal(oldKey, newKey, secretSealName(name), sealed, `server secret ${name}`)
    await tx.update(serverSecrets).set({ sealed: resealed }).where(eq(serverSecrets.name, name))
  }
  return rows.length
}

async function resealSigningKeys(tx: Transaction, oldKey: Uint8Array, newKey: Uint8Array): Promise<number> {
  const rows = await tx
    .select({
      kid: signingKeys.kid,
      use: signingKeys.use,
      sealed: signingKeys.sealedPrivateKey,
      product: products.code,
    })
    .from(signingKeys)
    .innerJoin(products, eq(products.id, signingKeys.productId))
    .orderBy(signingKeys.kid)
    .for('update', { of: signingKeys })
  for (const { kid, use, sealed, product } of rows) {
    const what = `${use} signing key ${kid} of product ${product}`
    const resealed = reseal(oldKey, newKey, sealName(product, use, kid), sealed, what)
    await tx.update(signingKeys).set({ sealedPrivateKey: resealed }).where(eq(signingKeys.kid, kid))
  }
  return rows.length
}

function reseal(oldKey: Uint8Array, newKey: Uint8Array, name: string, sealed: string, what: string): string {
  const secret = open(oldKey, name, sealed)
  if (!secret) {
    throw new StartError(
      `The ${what} does not open with the master key given as the old one. Nothing was changed.`,
      'Give the LEASEHOLD_MASTER_KEY that this database was made with, or restore the row from a backup.',
    )
  }
  const resealed = seal(newKey, name, secret)
  secret.fill(0)
  return resealed
}
