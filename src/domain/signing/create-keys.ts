// Makes a signing key for a product and seals it. Publishing it to clients is publish-key-set.ts.
import type { KeyUse } from '../../contract/claims.ts'
import type { Transaction } from '../../db/client.ts'
import { signingKeys } from '../../db/schema/index.ts'
import { generateKeyPair } from '../../mint/keys.ts'
import { seal } from '../../platform/seal.ts'
import type { Ctx } from '../kernel/context.ts'
import { sealName } from './keyring.ts'
import { checkMasterKey } from './server-secrets.ts'

/** Inserts a new key that signs from `notBefore` on; returns its kid. */
export async function createSigningKey(
  tx: Transaction,
  ctx: Pick<Ctx, 'masterKey' | 'clock'>,
  product: { id: string; code: string },
  use: KeyUse,
  notBefore: Date,
): Promise<string> {
  await checkMasterKey(tx, ctx.masterKey)
  const pair = await generateKeyPair()
  await tx.insert(signingKeys).values({
    kid: pair.kid,
    productId: product.id,
    use,
    publicKeyHex: Buffer.from(pair.publicKey).toString('hex'),
    sealedPrivateKey: seal(ctx.masterKey, sealName(product.code, use, pair.kid), pair.privateKey),
    createdAt: ctx.clock.now(),
    notBefore,
  })
  pair.privateKey.fill(0)
  return pair.kid
}
