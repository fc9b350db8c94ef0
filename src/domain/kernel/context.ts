// What a verb is given: the services of this process and who is asking. Owns no behaviour.

import type { Role } from '../../contract/catalog.ts'
import type { ErrorCode } from '../../contract/errors.ts'
import type { Database } from '../../db/client.ts'
import type { RootSigningKey } from '../../mint/keys.ts'
import { AppError } from '../../platform/app-error.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import type { RandomBytes } from '../../platform/random.ts'
import type { KeyringCache } from './keyring.ts'
import type { Read, ReferenceCache } from './reference.ts'

/** The settings that change what the domain does. Durations are seconds. */
export interface DomainSettings {
  issuer: string
  publicUrl: string
  tokenLife: number
  entitlementLife: number
  /** The longest lease of an offline activation. */
  offlineLease: number
  staleAfter: number
  heartbeatInterval: number
  refreshInterval: number
  /** Null: off. */
  actionBudget: ActionBudget | null
  /** URL of the live channel; absent where the runtime has none. */
  syncUrl?: string
}

/** How often a key, and all keys together, may take something from customers within an hour. */
export interface ActionBudget {
  readonly perKey: number
  readonly inAll: number
}

/** Bounds the instances that nobody has licensed (T9, T11). */
export interface Newcomers {
  /**
   * Looks how many the products have, where that was not done within the minute before `now` (monotonic milliseconds).
   * Call it before `admit`.
   */
  count(read: Read, productIds: readonly string[], now: number): Promise<void>
  /**
   * Counts one more of this network and product, and returns what takes that back.
   * @throws Refusal when they are too many.
   */
  admit(network: string | undefined, productId: string): () => void
}

export interface Services {
  db: Database
  clock: Clock
  random: RandomBytes
  log: Logger
  settings: DomainSettings
  keyring: KeyringCache
  /** Products, licenses, credentials and keys in memory. */
  reference: ReferenceCache
  /** Seals private keys at rest. */
  masterKey: Uint8Array
  /** Signs key sets; null where the root key is kept on another machine. */
  rootKey: RootSigningKey | null
  /** The root's raw 32 bytes in lower-case hex: what key sets are verified with, wherever they were signed. */
  rootPublicKeyHex: string
  /** Key of every stored hash of a credential; also signs refresh tokens. Kept sealed under the master key. */
  pepper: Uint8Array
  /** Bounds new instances that prove no license; absent: no bound. */
  newcomers?: Newcomers
}

export type Actor =
  | { kind: 'anonymous'; id: '-' }
  | { kind: 'admin'; id: string; role: Role }
  | { kind: 'relay'; id: string }
  /** A command on the server's own machine, or a job. */
  | { kind: 'system'; id: string }

export interface Ctx extends Services {
  actor: Actor
  requestId: string
  /** Where the request comes from: an address, or the network that one host has to itself. */
  network?: string
  /** When the request came, in milliseconds of the monotonic clock; absent outside of requests. */
  arrivedAt?: number
  /** Whether whoever asked has gone away, so that nobody waits for the answer; absent outside of requests. */
  isGone?: () => boolean
  /**
   * Called by what has verified the credential that the request came with and knows that only a license, or an admin,
   * gives such a one; not for the token of an instance that nobody has licensed, which anybody may have.
   */
  credentialAccepted?: () => void
}

/** An AppError whose code is in the registry. */
export class Refusal extends AppError<ErrorCode> {}

/** Roles by what they may do; each includes the ones after it, but for `support`'s resolve. */
const REACH: Record<Role, readonly Role[]> = {
  owner: ['owner', 'operator', 'support', 'auditor'],
  operator: ['operator', 'support', 'auditor'],
  support: ['support', 'auditor'],
  auditor: ['auditor'],
}

/**
 * Stops unless the actor's role includes `needed`. `auditor` reads, `support` also resolves anomalies, `operator`
 * writes customers, licenses, keys and actions, `owner` writes everything.
 */
export function requireRole(ctx: Ctx, needed: Role): void {
  if (ctx.actor.kind === 'system') return
  if (ctx.actor.kind === 'admin' && REACH[ctx.actor.role].includes(needed)) return
  throw new Refusal('forbidden', `This needs the role ${needed}.`, {
    facts: { reason: 'role_too_low', needed_role: needed },
    fix: `Use an admin key with the role ${needed} or above.`,
  })
}
