// Whom a socket of an instance speaks for, for how long, and what it is told of. Reads what is kept, writes nothing.
import type { SyncEvent } from '../../contract/sync.ts'
import type { Memory } from '../front/remember.ts'
import { publicInstance } from '../front/request.ts'

export type ListenerMemory = Pick<Memory, 'grants' | 'keys' | 'hash' | 'now'>

export interface Listener {
  product: string
  instanceId: string
  /** `ins_…`. */
  instance: string
  /** Of the credential that it showed. */
  hmac: string
  /** Null for an instance token. `kept`: whether the relay has held a grant of that license for it. */
  session: { licenseId: string; expiresAt: number; kept: boolean } | null
}

/** A JWT that the vendor signed and that has not expired, or an instance token that it accepted here before. */
export async function listenerOf(memory: ListenerMemory, token: string | null): Promise<Listener | null> {
  if (token === null) return null
  if (token.startsWith('eyJ')) {
    const hmac = memory.hash('jwt', token)
    const claims = memory.grants.isRefused(hmac)
      ? null
      : await memory.keys.licenseJwt(token, null, null, 'unexpired')
    if (claims?.instance_id === undefined) return null
    const { aud: product, instance_id: instanceId, license_id: licenseId, exp: expiresAt } = claims
    const kept = holds(memory, { product, instanceId }, licenseId)
    return named(product, instanceId, hmac, { licenseId, expiresAt, kept })
  }
  if (!token.startsWith('lit_')) return null
  const hmac = memory.hash('instance_token', token)
  const known = memory.grants.instanceOf(hmac)
  return known === null ? null : named(known.product, known.instanceId, hmac, null)
}

const named = (
  product: string,
  instanceId: string,
  hmac: string,
  session: Listener['session'],
): Listener => ({
  product,
  instanceId,
  instance: publicInstance(product, instanceId),
  hmac,
  session,
})

/** Whether the vendor has refused the credential since, or the instance has given its seat back. */
export function hasEnded(memory: ListenerMemory, { session, hmac, ...instance }: Listener): boolean {
  if (memory.grants.isRefused(hmac)) return true
  if (session === null) return memory.grants.instanceOf(hmac) === null
  const held = holds(memory, instance, session.licenseId)
  // A cache that is switched off holds nothing, which says nothing.
  const gone = session.kept && !held
  session.kept = held
  return gone
}

const holds = (
  { grants }: ListenerMemory,
  { product, instanceId }: Pick<Listener, 'product' | 'instanceId'>,
  license: string,
): boolean => grants.ofInstance(product, instanceId).some(({ licenseId }) => licenseId === license)

/** Whether its license JWT has reached its end. */
export const hasExpired = ({ session }: Listener, now: number): boolean =>
  session !== null && now >= session.expiresAt * 1000

/** `holders`: the instances that hold the event's license now, whatever they held when they said hello. */
export function concerns(event: SyncEvent, listener: Listener, holders: ReadonlySet<string>): boolean {
  switch (event.type) {
    case 'keys.changed':
      return event.product === listener.product
    case 'action.changed':
      return event.instance === listener.instance
    case 'license.changed':
      if (event.instance !== undefined) return event.instance === listener.instance
      return event.license_id === listener.session?.licenseId || holders.has(listener.instance)
  }
}

/** `ins_…` of those that hold the license of this event. */
export function holdersFor({ grants }: ListenerMemory, event: SyncEvent): Set<string> {
  if (event.type !== 'license.changed' || event.instance !== undefined) return new Set()
  return new Set(
    grants.holders(event.license_id).map(({ product, instanceId }) => publicInstance(product, instanceId)),
  )
}
