// Which instance a credential speaks for: the one that a license JWT names, or the one that a token was given to (T8).
import { eq } from 'drizzle-orm'
import type { Proof } from '../../../contract/catalog.ts'
import { activations, forgottenSeats, instances, products } from '../../../db/schema/index.ts'
import { instanceKey } from '../../../platform/ids.ts'
import type { Bearer } from '../../kernel/bearer.ts'
import { type Ctx, Refusal } from '../../kernel/context.ts'
import { readWith } from '../../reference/read-with.ts'
import { type Presented, presented } from './presented.ts'
import { proofNeeds } from './proof-needs.ts'
import { proveReporter, type Reporter } from './prove-reporter.ts'
import { unknownToken } from './refusals.ts'
import { settledFacts } from './settled-facts.ts'

export interface FoundReporter {
  reporter: Reporter
  presented: Presented
}

/** The one instance that this credential names, or was given to. @throws Refusal 401 about the credential. */
export async function reporterOf(ctx: Ctx, bearer: Bearer): Promise<FoundReporter> {
  const brought = await presented(ctx, bearer)
  if (brought.kind === 'jwt') {
    const { claims } = brought.jwt
    if (claims.instance_id === undefined) throw unbound()
    return { presented: brought, reporter: { productCode: claims.aud, instanceId: claims.instance_id } }
  }
  if (brought.kind === 'none') throw unknownToken()
  const [found] = await ctx.db
    .select({ productCode: products.code, instanceId: instances.instanceId })
    .from(instances)
    .innerJoin(products, eq(products.id, instances.productId))
    .where(eq(instances.tokenHash, brought.hash))
  if (!found) throw unknownToken()
  return { presented: brought, reporter: found }
}

/** The reporter and how it is proven now, outside of any batch and without a lock. @throws Refusal 401, 403. */
export async function provenReporter(ctx: Ctx, bearer: Bearer): Promise<FoundReporter & { proof: Proof }> {
  const found = await reporterOf(ctx, bearer)
  const key = instanceKey(found.reporter.productCode, found.reporter.instanceId)
  const { db } = ctx
  const [instance] = await db.select().from(instances).where(eq(instances.instanceKey, key))
  const seats = await db.select().from(activations).where(eq(activations.instanceKey, key))
  const forgotten = await db.select().from(forgottenSeats).where(eq(forgottenSeats.instanceKey, key))
  await settledFacts(ctx)
  const { credentials } = proofNeeds(found.presented)
  const facts = await ctx.reference.load(readWith(db), { credentials })
  const view = {
    facts,
    instance: instance ?? null,
    seats: new Map(seats.map((seat) => [seat.licenseId, seat])),
    forgottenSeats: new Map(forgotten.map((seat) => [seat.licenseId, seat.seatId])),
  }
  const { proof, accepted } = proveReporter(view, found.presented, found.reporter)
  if (accepted) ctx.credentialAccepted?.()
  return { ...found, proof }
}

const unbound = () =>
  new Refusal('license_jwt_invalid', 'This license JWT names no instance.', {
    fix: 'Refresh it once: the JWT that you get names this instance.',
  })
