// Who opens a socket of the live channel: proven as for a telemetry batch, or by a relay key. Writes nothing.
import { and, eq, gt } from 'drizzle-orm'
import { activations } from '../../db/schema/index.ts'
import { instanceKey } from '../../platform/ids.ts'
import { fromUnixSeconds } from '../../platform/time.ts'
import { reporterOf } from '../instance-api/proof/reporter-of.ts'
import { presentedJwt } from '../instance-api/proof/verify-license-jwt.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { hashCredential } from '../kernel/credential-hash.ts'
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
  const { reporter, proof } = await reporterOf(ctx, bearer)
  const { productCode: product, instanceId } = reporter
  const key = instanceKey(product, instanceId)
  if (bearer.kind === 'instance_token') {
    const tokenHash = hashCredential(ctx, 'instance_token', bearer.text)
    const held = await licensesHeld(ctx, key)
    return { kind: 'instance', instanceKey: key, product, licenses: held, session: null, tokenHash }
  }
  const { claims, licenseId, seatId } = await presentedJwt(ctx, bearer.text, 'unexpired')
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
