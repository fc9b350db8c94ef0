// Reads signing keys for whom they are public: admins, verifiers that fetch a JWK set, clients that pin the raw key.
import { and, asc, desc, eq, lt, or } from 'drizzle-orm'
import type { SigningKeyQuery } from '../../contract/admin-signing.schema.ts'
import { SIGNATURE_ALG } from '../../contract/claims.ts'
import type { Executor } from '../../db/client.ts'
import { products, signingKeys } from '../../db/schema/index.ts'
import { fromUnixSeconds } from '../../platform/time.ts'
import { type Ctx, Refusal, requireRole } from '../kernel/context.ts'
import { productByCode } from '../kernel/find-catalog.ts'
import { decodeCursor, type Page, pageOf, TIME_PART } from '../kernel/paging.ts'
import { keyStatus } from './key-times.ts'
import { type SigningKeyRow, selectSigningKeys } from './signing-key.ts'

const KID_PART = /^[A-Za-z0-9_-]{1,128}$/

/** Signing keys of every status, newest first. @throws Refusal `product_unknown` when `product` names none. */
export async function listSigningKeys(ctx: Ctx, query: SigningKeyQuery): Promise<Page<SigningKeyRow>> {
  requireRole(ctx, 'auditor')
  const product = query.product === undefined ? null : await productByCode(ctx.db, query.product)
  const found = await selectSigningKeys(ctx.db)
    .where(
      and(
        product === null ? undefined : eq(signingKeys.productId, product.id),
        query.use === undefined ? undefined : eq(signingKeys.use, query.use),
        query.after === undefined ? undefined : olderThan(query.after),
      ),
    )
    .orderBy(desc(signingKeys.createdAt), desc(signingKeys.kid))
    .limit(query.limit + 1)
  return pageOf(found, query.limit, (row) => [String(row.createdAt.getTime()), row.kid])
}

function olderThan(after: string) {
  const [time, kid] = decodeCursor(after, TIME_PART, KID_PART)
  const at = fromUnixSeconds(Number(time) / 1000)
  return or(lt(signingKeys.createdAt, at), and(eq(signingKeys.createdAt, at), lt(signingKeys.kid, kid)))
}

const VERIFYING = new Set(['pending', 'active', 'retiring'])

/** The public half of a key as RFC 7517 and RFC 8037 write it. */
export interface PublicJwk {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  kid: string
  use: 'sig'
  alg: typeof SIGNATURE_ALG
}

/**
 * The `license` keys whose JWTs may still be in use, and those about to sign: of one product, or of all for clients that
 * check `aud`. No other use is ever among them: a library that ignores `typ` must find no key for what is no license
 * (T4). @throws Refusal `product_unknown`
 */
export async function publicJwks(
  db: Executor,
  now: Date,
  code: string | undefined,
): Promise<{ keys: PublicJwk[] }> {
  const product = code === undefined ? null : await productByCode(db, code)
  const ofProduct = product === null ? undefined : eq(signingKeys.productId, product.id)
  const rows = await selectSigningKeys(db)
    .where(and(eq(signingKeys.use, 'license'), ofProduct))
    .orderBy(asc(signingKeys.createdAt), asc(signingKeys.kid))
  const keys = rows
    .filter((row) => VERIFYING.has(keyStatus(row, now)))
    .map(({ kid, publicKeyHex }): PublicJwk => {
      const x = Buffer.from(publicKeyHex, 'hex').toString('base64url')
      return { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: SIGNATURE_ALG }
    })
  return { keys }
}

/**
 * The active raw key of a product, or of the first product, as 64 hex characters.
 * @throws Refusal `product_unknown`
 */
export async function rawPublicKey(db: Executor, now: Date, code: string | undefined): Promise<string> {
  const product = code === undefined ? await firstProduct(db) : await productByCode(db, code)
  const rows = await selectSigningKeys(db).where(
    and(eq(signingKeys.productId, product.id), eq(signingKeys.use, 'raw')),
  )
  const active = rows.find((row) => keyStatus(row, now) === 'active')
  if (!active) throw new Error(`product ${product.code} has no active raw key`)
  return active.publicKeyHex
}

async function firstProduct(db: Executor) {
  const [found] = await db
    .select({ id: products.id, code: products.code })
    .from(products)
    .orderBy(asc(products.createdAt), asc(products.id))
    .limit(1)
  if (found) return found
  throw new Refusal('product_unknown', 'This server has no product yet.', {
    fix: 'Create one with POST /api/v1/admin/products.',
  })
}
