// Finds the instances that have fallen silent, and closes what was found about those that are heard again. A job's
// verb: it accuses on the server's own word, not on a report's.
import { type SQL, sql } from 'drizzle-orm'
import { ANOMALY_SEVERITY } from '../../contract/anomalies.ts'
import { products } from '../../db/schema/index.ts'
import { addSeconds } from '../../platform/time.ts'
import { inChunks } from '../kernel/chunks.ts'
import { type Ctx, requireRole } from '../kernel/context.ts'
import { foldFleet } from '../stats/fold-fleet.ts'
import { mayAccuse } from './hear-fleet.ts'

const UNTIL_DONE = new AbortController().signal

/**
 * Silent for `staleAfter` or longer, and not deactivated; a site without a network is silent by right, for as long as
 * the lease of its offline activation runs. A silence is found once: resolving it by hand lasts until the instance was
 * heard and falls silent again. None is found while the whole fleet is silent, which is a finding of its own. Works in
 * chunks and stops between two of them once `signal` is aborted; the next run goes on there. Returns how many rows were
 * opened and closed.
 */
export async function findStaleInstances(
  ctx: Ctx,
  signal: AbortSignal = UNTIL_DONE,
): Promise<{ opened: number; closed: number }> {
  requireRole(ctx, 'operator')
  // The figures tell whether the fleet as a whole is heard: those of before an outage would accuse it.
  await foldFleet(ctx, signal)
  let closed = 0
  let opened = 0
  for (const { id } of await ctx.db.select({ id: products.id }).from(products)) {
    closed += await chunks(ctx, signal, (after, most) => closeChunk(ctx, id, after, most))
    if (!signal.aborted && (await mayAccuse(ctx, id))) {
      opened += await chunks(ctx, signal, (after, most) => openChunk(ctx, id, after, most))
    }
  }
  return { opened, closed }
}

/** Where a chunk ended: a time as the database writes it, and a key. */
type Place = { at: string; key: string }
type Chunk = { looked: number; done: number; at: string | null; key: string | null }

/** Chunk after chunk, each from where the one before it ended; the sum of what was done. */
async function chunks(
  ctx: Ctx,
  signal: AbortSignal,
  next: (after: Place | null, most: number) => Promise<Chunk>,
): Promise<number> {
  let done = 0
  let after: Place | null = null
  await inChunks(ctx, signal, async (most) => {
    const chunk = await next(after, most)
    done += chunk.done
    if (chunk.at !== null && chunk.key !== null) after = { at: chunk.at, key: chunk.key }
    return chunk.looked
  })
  return done
}

const placeOf = ({ at, key }: Place): SQL => sql`(${at}::timestamptz, ${key}::uuid)`

/** Looks at instances that were found silent: those heard since, or deactivated, are silent no more. */
async function closeChunk(ctx: Ctx, productId: string, after: Place | null, most: number): Promise<Chunk> {
  const now = ctx.clock.now()
  const at = now.toISOString()
  const silentSince = addSeconds(now, -ctx.settings.staleAfter).toISOString()
  const [chunk] = await ctx.db.execute<Chunk>(sql`
    with looked as materialized (
      select instance_key, first_seen_at, (last_seen_at > seen_mark or last_seen_at > ${silentSince}::timestamptz
        or deactivated_at is not null) as over
      from instances
      where silent and product_id = ${productId}::uuid and ${after ? sql`(first_seen_at, instance_key) < ${placeOf(after)}` : sql`true`}
      order by first_seen_at desc nulls last, instance_key desc nulls last limit ${most}
    ), back as materialized (
      select instance_key, last_seen_at, deactivated_at from instances
      where instance_key in (select instance_key from looked where over)
      for no key update skip locked
    ), unmarked as (
      update instances i set silent = false, seen_mark = b.last_seen_at from back b
      where i.instance_key = b.instance_key
    ), closed as (
      update anomalies a set resolved_at = ${at}::timestamptz, resolved_by = 'system',
        note = case when b.deactivated_at is null then 'heard again' else 'deactivated' end
      from back b
      where a.instance_key = b.instance_key and a.type = 'stale_instance' and a.resolved_at is null
      returning 1
    )
    select (select count(*)::int from looked) as looked, (select count(*)::int from closed) as done,
      l.first_seen_at::text as at, l.instance_key as key
    from (select 1) one left join lateral (
      select * from looked order by first_seen_at, instance_key limit 1) l on true`)
  return chunk ?? NOTHING
}

/**
 * Looks at instances whose mark is that old: those heard since get a new one, the others are found silent. The mark is
 * never later than the last report, so none is missed.
 */
async function openChunk(ctx: Ctx, productId: string, after: Place | null, most: number): Promise<Chunk> {
  const now = ctx.clock.now()
  const at = now.toISOString()
  const silentSince = addSeconds(now, -ctx.settings.staleAfter).toISOString()
  // The time part of a UUIDv7, and the random part of a v4: PostgreSQL 15 makes no v7 of its own.
  const [chunk] = await ctx.db.execute<Chunk>(sql`
    with due as materialized (
      select instance_key, seen_mark, last_seen_at, proof from instances
      where product_id = ${productId}::uuid and not silent and deactivated_at is null
        and seen_mark <= ${silentSince}::timestamptz
        and ${after ? sql`(seen_mark, instance_key) > ${placeOf(after)}` : sql`true`}
      order by seen_mark, instance_key limit ${most} for no key update skip locked
    ), found as materialized (
      select d.* from due d
      where d.last_seen_at <= ${silentSince}::timestamptz and not exists (
        select from offline_activations o
        where o.instance_key = d.instance_key and o.issued_at >= d.last_seen_at
          and o.lease_ends_at > ${at}::timestamptz)
    ), marked as (
      update instances i set seen_mark = d.last_seen_at, silent = f.instance_key is not null
      from due d left join found f on f.instance_key = d.instance_key
      where i.instance_key = d.instance_key and (f.instance_key is not null or d.last_seen_at > d.seen_mark)
    ), opened as (
      insert into anomalies (instance_key, id, product_id, type, severity, count, first_seen_at, last_seen_at,
        evidence, proof)
      select f.instance_key,
        (lpad(to_hex(${now.getTime()}::bigint), 12, '0') || '7'
          || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid,
        ${productId}::uuid, 'stale_instance', ${ANOMALY_SEVERITY.stale_instance}, 1, ${at}::timestamptz,
        ${at}::timestamptz,
        jsonb_build_object(
          'last_seen_at', to_char(f.last_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
          'silent_hours', floor(extract(epoch from ${at}::timestamptz - f.last_seen_at) / 3600)::int),
        f.proof
      from found f
      order by f.instance_key
      on conflict (instance_key, type) where resolved_at is null do nothing
      returning 1
    )
    select (select count(*)::int from due) as looked, (select count(*)::int from opened) as done,
      l.seen_mark::text as at, l.instance_key as key
    from (select 1) one left join lateral (
      select * from due order by seen_mark desc, instance_key desc limit 1) l on true`)
  return chunk ?? NOTHING
}

const NOTHING: Chunk = { looked: 0, done: 0, at: null, key: null }
