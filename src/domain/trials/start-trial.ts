// Starts a trial for whoever asks: a customer, a license that ends by itself, and its key, in one transaction. One for
// each e-mail address and product.
import { and, eq } from 'drizzle-orm'
import type { TrialAnswer, TrialRequest } from '../../contract/trials.schema.ts'
import type { Transaction } from '../../db/client.ts'
import { customers, licenses, tiers, trials } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { hmacSha256 } from '../../platform/hash.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { addDays, rfc3339 } from '../../platform/time.ts'
import { answerOnce } from '../idempotency/answer-once.ts'
import { type Ctx, Refusal } from '../kernel/context.ts'
import { notFound, type ProductRow, productByCode, type TierRow } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { insertDistinct } from '../licenses/issue-license-key.ts'
import { findLicense } from '../rights/license-facts.ts'
import { countUse } from './count-use.ts'
import { normalEmail } from './normal-email.ts'
import { countRequest, STARTS, TRIALS } from './trial-bounds.ts'

const UNNAMED = 'Trial'

interface Trial {
  product: ProductRow
  tier: TierRow & { trialDays: number }
  input: TrialRequest
  now: Date
}

export interface StartedTrial {
  answer: TrialAnswer
  /** Whether it is the answer of an earlier request with the same key. */
  replayed: boolean
}

/**
 * With an idempotency key, whoever sends the same words again gets the same answer. The key belongs to product and
 * address, so that nobody meets one of another.
 * @throws Refusal `product_unknown`, `trial_not_offered`, `trial_already_used`, `rate_limited`, and those of `answerOnce`
 */
export async function startTrial(ctx: Ctx, input: TrialRequest, key?: string): Promise<StartedTrial> {
  // Before the one transaction, which a refusal undoes: refused and repeated requests count, too.
  await countRequest(ctx, STARTS)
  if (key === undefined) return { answer: await grantTrial(ctx, input), replayed: false }
  const { product, tier, email, name, company } = input
  const request = {
    caller: JSON.stringify(['trial', product, normalEmail(email)]),
    key,
    method: 'POST',
    path: '/api/v1/trials/start',
    content: [JSON.stringify([product, tier, email, name ?? null, company ?? null])],
  }
  const once = await answerOnce(ctx, request, async (within) => ({
    status: 201,
    headers: {},
    body: JSON.stringify(await grantTrial(within, input)),
  }))
  if (!once) throw new Error('a trial was neither granted nor refused')
  return { answer: JSON.parse(once.answer.body) as TrialAnswer, replayed: once.replayed }
}

async function grantTrial(ctx: Ctx, input: TrialRequest): Promise<TrialAnswer> {
  const product = await productByCode(ctx.db, input.product)
  const trial: Trial = {
    product,
    tier: await offeredTier(ctx, product, input.tier),
    input,
    now: ctx.clock.now(),
  }
  const keyring = await ctx.keyring.current(product.code)
  const system: Ctx = { ...ctx, actor: { kind: 'system', id: 'trial' } }
  return transaction(ctx.db, async (tx) => {
    const { customerId, licenseId } = await claimTrial(tx, ctx, trial)
    await countUse(tx, ctx, TRIALS, product.id)
    const expiresAt = await insertLicense(tx, trial, customerId, licenseId)
    const license = (await findLicense(tx, licenseId)) ?? notFound('license')
    const { row, secret } = await insertDistinct(tx, ctx, {
      keyring,
      license,
      input: { license_id: publicId('lic', licenseId), name: 'trial', offline: false },
      now: trial.now,
    })
    await recordChange(tx, system, {
      action: 'trial.start',
      subject: publicId('lic', licenseId),
      event: 'license.changed',
      details: {
        product: product.code,
        tier: trial.tier.code,
        customer_id: publicId('cus', customerId),
        license_key_id: publicId('lk', row.id),
        trial_days: trial.tier.trialDays,
        expires_at: rfc3339(expiresAt),
      },
      scope: { productId: product.id, licenseId, customerId },
    })
    return {
      license_key: secret,
      tier: trial.tier.code,
      expires_at: rfc3339(expiresAt),
      trial_duration_days: trial.tier.trialDays,
    }
  })
}

async function offeredTier(ctx: Ctx, product: ProductRow, code: string): Promise<Trial['tier']> {
  const [tier] = await ctx.db
    .select()
    .from(tiers)
    .where(and(eq(tiers.productId, product.id), eq(tiers.code, code)))
  if (tier && tier.trialDays !== null) return { ...tier, trialDays: tier.trialDays }
  throw new Refusal('trial_not_offered', `There is no trial of the tier ${code}.`, {
    facts: { product: product.code, tier: code },
    fix: `GET /api/v1/trials/check?product=${product.code} lists the tiers that offer one.`,
  })
}

/** Of many that start at once the first one writes the row; the others wait for its commit and are refused. */
async function claimTrial(tx: Transaction, ctx: Ctx, { product, tier, input, now }: Trial) {
  const customerId = uuidv7(now, ctx.random)
  const licenseId = uuidv7(now, ctx.random)
  const claimed = await tx
    .insert(trials)
    .values({
      id: uuidv7(now, ctx.random),
      productId: product.id,
      emailHash: hmacSha256(ctx.pepper, 'trial_email', normalEmail(input.email)),
      tierId: tier.id,
      customerId,
      licenseId,
      startedAt: now,
    })
    .onConflictDoNothing({ target: [trials.productId, trials.emailHash] })
    .returning({ id: trials.id })
  if (claimed.length === 0) throw alreadyUsed(product)
  return { customerId, licenseId }
}

/** No grace: a trial ends when it says. Its seats are the tier's. */
async function insertLicense(
  tx: Transaction,
  { product, tier, input, now }: Trial,
  customerId: string,
  licenseId: string,
): Promise<Date> {
  const expiresAt = addDays(now, tier.trialDays)
  await tx.insert(customers).values({
    id: customerId,
    name: input.name ?? UNNAMED,
    company: input.company ?? '',
    email: input.email,
    metadata: { trial: true },
    createdAt: now,
    updatedAt: now,
  })
  await tx.insert(licenses).values({
    id: licenseId,
    productId: product.id,
    tierId: tier.id,
    customerId,
    status: 'active',
    statusChangedAt: now,
    issuedAt: now,
    expiresAt,
    graceDays: 0,
    featuresAdded: [],
    featuresRemoved: [],
    limits: {},
    isTrial: true,
    metadata: {},
    version: 1,
    createdAt: now,
    updatedAt: now,
  })
  return expiresAt
}

const alreadyUsed = (product: ProductRow) =>
  new Refusal('trial_already_used', `This e-mail address has had its trial of ${product.name}.`, {
    facts: { product: product.code },
    fix:
      'Use the license key that the trial began with, or ask the vendor for a license. An answer that was lost is ' +
      'given again to the same request with the same Idempotency-Key.',
  })
