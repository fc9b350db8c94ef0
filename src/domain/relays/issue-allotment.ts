// Gives a relay the seats of a license that it may give out by itself, in a signed word that ends (T10). Exact under
// concurrency: whoever allots holds the license's row alone while counting, as whoever takes a seat does.
import { and, eq, isNull, sql } from 'drizzle-orm'
import { ALLOTMENT_LIFE, ALLOTMENT_TYP, type AllotmentClaims } from '../../contract/claims.ts'
import type { AllotmentAnswer, AllotmentRequest } from '../../contract/relay-api.ts'
import type { Transaction } from '../../db/client.ts'
import { relayAllotments, relays } from '../../db/schema/index.ts'
import { transaction } from '../../db/transaction.ts'
import { signJws } from '../../mint/sign-jws.ts'
import { publicId, uuidv7 } from '../../platform/ids.ts'
import { fromUnixSeconds, rfc3339, unixSeconds } from '../../platform/time.ts'
import type { Bearer } from '../kernel/bearer.ts'
import type { Ctx } from '../kernel/context.ts'
import { notFound, uuidOf } from '../kernel/find-catalog.ts'
import { recordChange } from '../kernel/record-change.ts'
import { allottedSeats } from '../rights/allotted-seats.ts'
import { licensedRights } from '../rights/granted-rights.ts'
import { holdLicense } from '../rights/hold-license.ts'
import type { LicenseFacts } from '../rights/license-facts.ts'
import { standingOf } from '../rights/license-standing.ts'
import { seatIsLive } from '../rights/seat.ts'
import { noFreeSeats, noShare, notInForce } from './allotment-refusals.ts'
import { authenticateRelay } from './authenticate-relay.ts'
import { unknownRelayKey } from './find-relay.ts'
import { presentedAllotment } from './presented-allotment.ts'
import { learn, mostSeats, type Promised } from './promised-seats.ts'

interface Allotted {
  license: LicenseFacts
  relayId: string
  publicKey: string
  seq: number
  seats: number
  /** Unix seconds; null once it was given back. */
  exp: number | null
  at: Date
}

/**
 * As many seats as were asked for, at most the relay's share and never more than are free. What the relay was
 * promised before and may still go by counts on, until it has ended or the relay acknowledged what replaced it.
 * @throws Refusal 401 about the relay key, `not_found`, `license_suspended` and its like, `allotment_refused`
 */
export async function issueAllotment(
  ctx: Ctx,
  bearer: Bearer,
  body: AllotmentRequest,
): Promise<AllotmentAnswer> {
  const relay = await authenticateRelay(ctx, bearer)
  const licenseId = uuidOf('lic', body.license_id, 'license')
  const current = body.current === undefined ? null : await presentedAllotment(ctx, body.current)
  const own =
    current?.sub === publicId('rly', relay.id) && current.license_id === body.license_id ? current : null
  const allotted = await transaction(ctx.db, async (tx): Promise<Allotted> => {
    const [still] = await tx
      .select({ publicKey: relays.publicKey })
      .from(relays)
      .where(and(eq(relays.id, relay.id), eq(relays.keyHash, relay.keyHash ?? ''), isNull(relays.revokedAt)))
      .for('share')
    if (!still?.publicKey) throw unknownRelayKey()
    const license = await holdLicense(tx, licenseId, 'no key update')
    if (license.customerId !== relay.customerId) return notFound('license')
    return allot(tx, ctx, { license, relayId: relay.id, publicKey: still.publicKey, body, current: own })
  })
  return sign(ctx, allotted)
}

interface Wish {
  license: LicenseFacts
  relayId: string
  publicKey: string
  body: AllotmentRequest
  current: AllotmentClaims | null
}

async function allot(tx: Transaction, ctx: Ctx, wish: Wish): Promise<Allotted> {
  const { license, relayId, publicKey, body, current } = wish
  const now = ctx.clock.now()
  const place = and(eq(relayAllotments.relayId, relayId), eq(relayAllotments.licenseId, license.id))
  const [stored] = await tx.select().from(relayAllotments).where(place).for('update')
  const known = learn(stored ?? null, current?.cnf.jwk.x === publicKey ? current : null, now)
  const live = await liveLeases(tx, relayId, license.id, now)
  const gives = body.release === true || body.seats === 0
  const standing = standingOf(license, ALLOTMENT_LIFE, now)
  let seats = 0
  if (!gives) {
    if (!standing.inForce) throw notInForce(license, standing.reason)
    if (standing.exp <= unixSeconds(now)) throw notInForce(license, 'license_expired')
    if (known.share === 0) throw noShare()
    const free = await freeSeats(tx, license, relayId, now)
    seats = Math.min(body.seats, known.share, free)
    if (seats === 0) throw noFreeSeats(license.seatLimit ?? 0)
  }
  // What it may still go by: the last one it was given, unless it gives that back; what it gave out in any case.
  const promised: Promised[] = [...(gives ? [] : [...known.held, ...known.newest]), ...live]
  const held = mostSeats(promised.filter((promise) => promise.seats > seats))
  const seq = Math.max(known.seq + 1, now.getTime())
  const exp = gives || !standing.inForce ? null : standing.exp
  const row = {
    seq,
    seats,
    expiresAt: exp === null ? null : fromUnixSeconds(exp),
    heldSeats: held?.seats ?? 0,
    heldUntil: held?.until ?? null,
    updatedAt: now,
  }
  await tx
    .insert(relayAllotments)
    .values({ relayId, licenseId: license.id, share: known.share, ...row })
    .onConflictDoUpdate({ target: [relayAllotments.relayId, relayAllotments.licenseId], set: row })
  // Renewals say nothing new, and there are many.
  if (seats !== (mostSeats(known.newest)?.seats ?? 0)) {
    const id = publicId('rly', relayId)
    await recordChange(
      tx,
      { ...ctx, actor: { kind: 'relay', id } },
      {
        action: 'relay.allot',
        subject: id,
        event: 'relay.changed',
        details: { license_id: publicId('lic', license.id), seats, seq },
      },
    )
  }
  return { license, relayId, publicKey, seq, seats, exp, at: now }
}

/** Seats that neither instances nor other relays have. The license's row is held. */
async function freeSeats(
  tx: Transaction,
  { id, seatLimit }: LicenseFacts,
  relayId: string,
  now: Date,
): Promise<number> {
  if (seatLimit === null) return Number.MAX_SAFE_INTEGER
  const [counted] = await tx.execute<{ taken: string }>(sql`
    select (select count(*) from activations a where a.license_id = ${id}::uuid and ${seatIsLive(now)})
      + ${allottedSeats(id, now, relayId)} as taken`)
  return Math.max(0, seatLimit - Number(counted?.taken))
}

/** Leases that the relay told of and that run on, whatever it is allotted from here on. */
async function liveLeases(
  tx: Transaction,
  relayId: string,
  licenseId: string,
  now: Date,
): Promise<Promised[]> {
  const [found] = await tx.execute<{ seats: string; until: string | null }>(sql`
    select count(*) as seats, ceil(extract(epoch from max(expires_at))) as until from relay_leases
    where relay_id = ${relayId}::uuid and license_id = ${licenseId}::uuid and not released
      and expires_at > ${now.toISOString()}::timestamptz`)
  return found?.until ? [{ seats: Number(found.seats), until: fromUnixSeconds(Number(found.until)) }] : []
}

async function sign(ctx: Ctx, allotted: Allotted): Promise<AllotmentAnswer> {
  const { license, relayId, publicKey, seq, seats, exp, at } = allotted
  if (exp === null) return { allotment: null, expires_at: null, seats: 0 }
  const { tier, features, limits } = licensedRights(license)
  const claims: AllotmentClaims = {
    iss: ctx.settings.issuer,
    aud: license.productCode,
    sub: publicId('rly', relayId),
    jti: publicId('alt', uuidv7(at, ctx.random)),
    seq,
    license_id: publicId('lic', license.id),
    seats,
    nbf: unixSeconds(at),
    exp,
    cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x: publicKey } },
    grant: {
      customer_id: publicId('cus', license.customerId),
      tier,
      features,
      limits,
      grace_days: license.graceDays,
      ...(license.expiresAt ? { license_exp: unixSeconds(license.expiresAt) } : {}),
      org_name: license.company || license.customerName,
      trial: license.isTrial,
      ...(license.tenantId === null ? {} : { tenant_id: license.tenantId }),
    },
  }
  const keyring = await ctx.keyring.current(license.productCode)
  const signer = keyring.signer(license.productCode, 'control', at)
  const allotment = signJws(signer, ALLOTMENT_TYP, claims)
  return { allotment, expires_at: rfc3339(fromUnixSeconds(exp)), seats }
}
