// A signing key as this domain's verbs read and show it: its public half and its times. Never its private half.
import { eq, getTableColumns } from 'drizzle-orm'
import type { SigningKeyAnswer } from '../../contract/admin-signing.schema.ts'
import type { Executor } from '../../db/client.ts'
import { products, signingKeys } from '../../db/schema/index.ts'
import { rfc3339 } from '../../platform/time.ts'
import { keyStatus } from './key-times.ts'

const { sealedPrivateKey: _, ...columns } = getTableColumns(signingKeys)

export type SigningKeyRow = Omit<typeof signingKeys.$inferSelect, 'sealedPrivateKey'> & { product: string }

/** Begins a query of signing keys with their product's code. */
export const selectSigningKeys = (db: Executor) =>
  db
    .select({ ...columns, product: products.code })
    .from(signingKeys)
    .innerJoin(products, eq(products.id, signingKeys.productId))
    .$dynamic()

export const presentSigningKey = (row: SigningKeyRow, now: Date): SigningKeyAnswer => ({
  kid: row.kid,
  product: row.product,
  use: row.use,
  status: keyStatus(row, now),
  public_key: row.publicKeyHex,
  created_at: rfc3339(row.createdAt),
  not_before: rfc3339(row.notBefore),
  superseded_at: row.supersededAt && rfc3339(row.supersededAt),
  retired_at: row.retiredAt && rfc3339(row.retiredAt),
  revoked_at: row.revokedAt && rfc3339(row.revokedAt),
})
