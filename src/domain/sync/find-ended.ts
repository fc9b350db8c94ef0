// Whether what a listener proved itself with still holds: for any number of listeners in three statements.
import { type SQL, sql } from 'drizzle-orm'
import type { Ctx } from '../kernel/context.ts'
import { credentialNamed } from '../rights/credential-name.ts'
import type { InstancePeer, Peer, RelayPeer } from './peer.ts'

/**
 * Those whose relay key or instance token is no longer the current one, whose seat was ended, or whose credential was
 * revoked with its sessions. What is not on record is no reason: the database may have been restored (T8, T12).
 */
export async function findEnded(ctx: Ctx, peers: readonly Peer[]): Promise<Set<Peer>> {
  const relays = peers.filter((peer) => peer.kind === 'relay')
  const instances = peers.filter((peer) => peer.kind === 'instance')
  const tokens = instances.filter(({ tokenHash }) => tokenHash !== null)
  const sessions = instances.filter(({ session }) => session !== null)
  return new Set<Peer>([
    ...(await endedRelays(ctx, relays)),
    ...(await endedTokens(ctx, tokens)),
    ...(await endedSessions(ctx, sessions)),
  ])
}

async function endedRelays(ctx: Ctx, peers: readonly RelayPeer[]): Promise<RelayPeer[]> {
  const asked = peers.map(({ relayId, keyHash }, i) => ({ i, id: relayId, hash: keyHash }))
  return pick(
    ctx,
    peers,
    sql`
    select x.i from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb) as x(i int, id uuid, hash text)
    left join relays r on r.id = x.id and r.key_hash = x.hash and r.revoked_at is null
    where r.id is null`,
  )
}

async function endedTokens(ctx: Ctx, peers: readonly InstancePeer[]): Promise<InstancePeer[]> {
  const asked = peers.map(({ instanceKey, tokenHash }, i) => ({ i, key: instanceKey, hash: tokenHash }))
  return pick(
    ctx,
    peers,
    sql`
    select x.i from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb) as x(i int, key uuid, hash text)
    left join instances n on n.instance_key = x.key and n.token_hash = x.hash
    where n.instance_key is null`,
  )
}

async function endedSessions(ctx: Ctx, peers: readonly InstancePeer[]): Promise<InstancePeer[]> {
  const asked = peers.flatMap(({ session }, i) => {
    if (session === null) return []
    const named = credentialNamed(session.credential ?? undefined)
    const { instanceKey: key, licenseId: license, seatId: seat } = session
    return [{ i, key, license, seat, source: named?.source ?? null, credential: named?.id ?? null }]
  })
  return pick(
    ctx,
    peers,
    sql`
    select x.i from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb)
      as x(i int, key uuid, license uuid, seat uuid, source text, credential uuid)
    where exists (
        select 1 from activations a where a.instance_key = x.key and a.license_id = x.license
          and x.seat <= a.id and (a.ended_at is not null or a.id <> x.seat))
      or exists (select 1 from api_keys c where x.source = 'api_key' and c.id = x.credential
          and c.revoked_at is not null and c.end_sessions)
      or exists (select 1 from license_keys c where x.source = 'license_key' and c.id = x.credential
          and c.revoked_at is not null and c.end_sessions)
      or exists (select 1 from static_jwts c where x.source = 'static_jwt' and c.id = x.credential
          and c.revoked_at is not null)`,
  )
}

async function pick<P extends Peer>({ db }: Ctx, peers: readonly P[], query: SQL): Promise<P[]> {
  if (peers.length === 0) return []
  const rows = await db.execute<{ i: number }>(query)
  return rows.flatMap(({ i }) => peers[i] ?? [])
}
