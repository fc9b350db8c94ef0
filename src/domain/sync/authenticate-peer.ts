// Who opens a socket of the live channel: proven as for a telemetry batch, or by a relay key. Writes nothing.
import { and, eq, gt } from 'drizzle-orm'
import { activations } from '../../db/schema/index.ts'
import { instanceKey } from '../../platform/ids.ts'
import { fromUnixSeconds } from '../../platform/time.ts'
import { provenReporter } from '../instance-api/proof/reporter-of.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { findRelay, productsOfCustomer } from '../relays/find-relay.ts'
import type { InstancePeer, Peer } from './peer.ts'

/** @throws Refusal 401 or 403 about the credential; a JWT must be unexpired and name its instance. */
export async function authenticatePeer(ctx: Ctx, bearer: Bearer): Promise<Peer> {
  if (bearer.kind === 'relay_key') {
    const { id, keyHash, customerId } = await findRelay(ctx.db, ctx, bearer)
    return {
      kind: 'relay',
      relayId: id,
      keyHash,
      customerId,
      products: new Set(await productsOfCustomer(ctx.db, customerId)),
    }
  }
  const { reporter, presented, proof } = await provenReporter(ctx, bearer)
  const { productCode: product, instanceId } = reporter
  const key = instanceKey(product, instanceId)
  if (presented.kind !== 'jwt') {
    const tokenHash = presented.kind === 'instance_token' ? presented.hash : null
    const held = await licensesHeld(ctx, key)
    return { kind: 'instance', instanceKey: key, product, licenses: held, session: null, tokenHash }
  }
  const { claims, licenseId, seatId } = presented.jwt
  const own = proof === 'license'
  const peer: InstancePeer = {
    kind: 'instance',
    instanceKey: own ? key : null,
    product,
    licenses: own ? await licensesHeld(ctx, key) : new Set(),
    session: {
      instanceKey: key,
      licenseId,
      seatId,
      credential: claims.cred ?? null,
      exp: fromUnixSeconds(claims.exp),
    },
    tokenHash: null,
  }
  peer.licenses.add(licenseId)
  return peer
}

async function licensesHeld(ctx: Ctx, key: string): Promise<Set<string>> {
  const rows = await ctx.db
    .select({ licenseId: activations.licenseId })
    .from(activations)
    .where(and(eq(activations.instanceKey, key), gt(activations.leaseEndsAt, ctx.clock.now())))
  return new Set(rows.map((row) => row.licenseId))
}
